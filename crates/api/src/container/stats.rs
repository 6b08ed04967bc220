//! What a container uses.

use std::collections::BTreeMap;

use crate::object::Empty;
use crate::time::Time;

object! {
    /// Tasks.
    pub struct PidsStats {
        /// Now.
        pub current: u64 = "current" omit,
        /// At most.
        pub limit: u64 = "limit" omit,
    }
}

object! {
    /// A number of one block device.
    pub struct BlkioEntry {
        /// Its major number.
        pub major: u64 = "major",
        /// Its minor number.
        pub minor: u64 = "minor",
        /// `Read`, `Write` …
        pub op: String = "op",
        /// The number.
        pub value: u64 = "value",
    }
}

object! {
    /// Block devices.
    pub struct BlkioStats {
        /// Bytes.
        pub io_service_bytes_recursive: Option<Vec<BlkioEntry>> = "io_service_bytes_recursive",
        /// Requests.
        pub io_serviced_recursive: Option<Vec<BlkioEntry>> = "io_serviced_recursive",
        /// Of version 1 only; so are the rest.
        pub io_queue_recursive: Option<Vec<BlkioEntry>> = "io_queue_recursive",
        /// Nanoseconds of service.
        pub io_service_time_recursive: Option<Vec<BlkioEntry>> = "io_service_time_recursive",
        /// Nanoseconds of waiting.
        pub io_wait_time_recursive: Option<Vec<BlkioEntry>> = "io_wait_time_recursive",
        /// Merged requests.
        pub io_merged_recursive: Option<Vec<BlkioEntry>> = "io_merged_recursive",
        /// Milliseconds.
        pub io_time_recursive: Option<Vec<BlkioEntry>> = "io_time_recursive",
        /// Sectors.
        pub sectors_recursive: Option<Vec<BlkioEntry>> = "sectors_recursive",
    }
}

object! {
    /// Processor time of a container in nanoseconds.
    pub struct CpuUsage {
        /// All of it.
        pub total_usage: u64 = "total_usage",
        /// By processor.
        pub percpu_usage: Option<Vec<u64>> = "percpu_usage" omit,
        /// That in the kernel.
        pub usage_in_kernelmode: u64 = "usage_in_kernelmode",
        /// That in programs.
        pub usage_in_usermode: u64 = "usage_in_usermode",
    }
}

object! {
    /// What a quota did.
    pub struct ThrottlingData {
        /// Periods.
        pub periods: u64 = "periods",
        /// Those in which the container was stopped.
        pub throttled_periods: u64 = "throttled_periods",
        /// Nanoseconds.
        pub throttled_time: u64 = "throttled_time",
    }
}

object! {
    /// Processors.
    pub struct CpuStats {
        /// The container's time.
        pub cpu_usage: CpuUsage = "cpu_usage",
        /// The machine's time.
        pub system_cpu_usage: u64 = "system_cpu_usage" omit,
        /// How many there are.
        pub online_cpus: u32 = "online_cpus" omit,
        /// What a quota did.
        pub throttling_data: ThrottlingData = "throttling_data",
    }
}

object! {
    /// Memory in bytes.
    pub struct MemoryStats {
        /// Now.
        pub usage: u64 = "usage" omit,
        /// The most that it was.
        pub max_usage: u64 = "max_usage" omit,
        /// All that the kernel tells.
        pub stats: BTreeMap<String, u64> = "stats" omit,
        /// How often the limit was hit.
        pub failcnt: u64 = "failcnt" omit,
        /// At most.
        pub limit: u64 = "limit" omit,
    }
}

object! {
    /// One interface.
    pub struct NetworkStats {
        /// Bytes in.
        pub rx_bytes: u64 = "rx_bytes",
        /// Packets in.
        pub rx_packets: u64 = "rx_packets",
        /// Broken ones.
        pub rx_errors: u64 = "rx_errors",
        /// Dropped ones.
        pub rx_dropped: u64 = "rx_dropped",
        /// Bytes out.
        pub tx_bytes: u64 = "tx_bytes",
        /// Packets out.
        pub tx_packets: u64 = "tx_packets",
        /// Broken ones.
        pub tx_errors: u64 = "tx_errors",
        /// Dropped ones.
        pub tx_dropped: u64 = "tx_dropped",
    }
}

object! {
    /// What a container uses.
    pub struct StatsResponse {
        /// Its name, with a slash before it.
        pub name: String = "name" omit,
        /// Its id.
        pub id: String = "id" omit,
        /// When.
        pub read: Time = "read",
        /// When the sample before was taken.
        pub preread: Time = "preread",
        /// Tasks.
        pub pids_stats: PidsStats = "pids_stats",
        /// Block devices.
        pub blkio_stats: BlkioStats = "blkio_stats",
        /// Windows.
        pub num_procs: u32 = "num_procs",
        /// Windows.
        pub storage_stats: Empty = "storage_stats",
        /// Processors.
        pub cpu_stats: CpuStats = "cpu_stats",
        /// Those in the sample before.
        pub precpu_stats: CpuStats = "precpu_stats",
        /// Memory.
        pub memory_stats: MemoryStats = "memory_stats",
        /// Interfaces.
        pub networks: BTreeMap<String, NetworkStats> = "networks" omit,
    }
}
