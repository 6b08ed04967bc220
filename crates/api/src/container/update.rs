//! Other limits for a container.

use super::host::RestartPolicy;

object! {
    /// What is to change; what is zero, empty or null stays.
    pub struct UpdateRequest {
        /// Weight.
        pub cpu_shares: i64 = "CpuShares" omit,
        /// Bytes.
        pub memory: i64 = "Memory" omit,
        /// Billionths of a processor.
        pub nano_cpus: i64 = "NanoCpus" omit,
        /// 10 to 1000.
        pub blkio_weight: u16 = "BlkioWeight" omit,
        /// Microseconds.
        pub cpu_period: i64 = "CpuPeriod" omit,
        /// Microseconds.
        pub cpu_quota: i64 = "CpuQuota" omit,
        /// Microseconds.
        pub cpu_realtime_period: i64 = "CpuRealtimePeriod" omit,
        /// Microseconds.
        pub cpu_realtime_runtime: i64 = "CpuRealtimeRuntime" omit,
        /// `0-2,4`.
        pub cpuset_cpus: String = "CpusetCpus" omit,
        /// `0-2,4`.
        pub cpuset_mems: String = "CpusetMems" omit,
        /// Bytes.
        pub memory_reservation: i64 = "MemoryReservation" omit,
        /// Bytes of memory and swap together; -1 for no limit.
        pub memory_swap: i64 = "MemorySwap" omit,
        /// How many tasks; -1 for no limit.
        pub pids_limit: Option<i64> = "PidsLimit" omit,
        /// When it is started again.
        pub restart_policy: RestartPolicy = "RestartPolicy" omit,
    }
}

object! {
    /// What came of it.
    pub struct UpdateResponse {
        /// What is not as was asked.
        pub warnings: Option<Vec<String>> = "Warnings",
    }
}
