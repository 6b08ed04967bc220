//! What a group may use, as the OCI runtime specification says it.

use super::DeviceRule;

/// Limits of a group. What is `None` or empty is left as it is. Sizes are bytes, -1 is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Memory.
    pub memory_limit: Option<i64>,
    /// Memory and swap together, as version 1 counts it.
    pub memory_swap: Option<i64>,
    /// Memory that is taken last when the host is short of it.
    pub memory_reservation: Option<i64>,
    /// 0 to 100; version 1 only.
    pub memory_swappiness: Option<u64>,
    /// Wait for memory instead of killing; version 1 only.
    pub disable_oom_killer: Option<bool>,
    /// Kernel memory of TCP; version 1 only.
    pub memory_kernel_tcp: Option<i64>,
    /// Relative share of processor time, 2 to 262144; 0 is left as it is.
    pub cpu_shares: Option<u64>,
    /// Microseconds of processor time a period.
    pub cpu_quota: Option<i64>,
    /// The period in microseconds.
    pub cpu_period: Option<u64>,
    /// Microseconds that may be saved up.
    pub cpu_burst: Option<u64>,
    /// Microseconds of real-time scheduling a period; version 1 only.
    pub cpu_realtime_runtime: Option<i64>,
    /// Its period in microseconds; version 1 only.
    pub cpu_realtime_period: Option<u64>,
    /// 1: only when nothing else wants to run.
    pub cpu_idle: Option<i64>,
    /// Processors: `0-3,7`. Empty is left as it is.
    pub cpuset_cpus: String,
    /// Memory nodes. Empty is left as it is.
    pub cpuset_mems: String,
    /// Processes and threads; 0 and below are no limit.
    pub pids_limit: Option<i64>,
    /// Relative share of block device time, 10 to 1000; 0 is left as it is.
    pub io_weight: Option<u16>,
    /// The share of the group's own tasks against groups below; version 1 with CFQ only.
    pub io_leaf_weight: Option<u16>,
    /// The same for one device.
    pub io_weight_device: Vec<WeightDevice>,
    /// Bytes a second read from a device.
    pub io_read_bps: Vec<Throttle>,
    /// Bytes a second written to a device.
    pub io_write_bps: Vec<Throttle>,
    /// Reads a second from a device.
    pub io_read_iops: Vec<Throttle>,
    /// Writes a second to a device.
    pub io_write_iops: Vec<Throttle>,
    /// Large pages.
    pub huge_pages: Vec<HugePageLimit>,
    /// The class of packets; version 1 only.
    pub net_class: Option<u32>,
    /// Priorities of packets; version 1 only.
    pub net_priorities: Vec<InterfacePriority>,
    /// Remote direct memory access, by device.
    pub rdma: Vec<RdmaLimit>,
    /// Files of version 2 with their content, written last and as they are.
    pub unified: Vec<(String, String)>,
    /// Which devices may be used, in order; with none, nothing is changed.
    pub devices: Vec<DeviceRule>,
}

/// A rate of one block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
    /// The rate; 0 is no limit.
    pub rate: u64,
}

/// The share of one block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightDevice {
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
    /// 10 to 1000.
    pub weight: Option<u16>,
    /// The share of the group's own tasks against groups below; version 1 with CFQ only.
    pub leaf_weight: Option<u16>,
}

/// A limit of large pages of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HugePageLimit {
    /// The size as the kernel writes it: `2MB`.
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

/// The priority of packets that leave by one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfacePriority {
    /// The interface.
    pub interface: String,
    /// The priority.
    pub priority: u32,
}

/// Limits of one device for remote direct memory access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdmaLimit {
    /// Its name: `mlx4_0`.
    pub device: String,
    /// Handles; `None` for no limit.
    pub handles: Option<u32>,
    /// Objects; `None` for no limit.
    pub objects: Option<u32>,
}
