//! How much the container may use.

use crate::flag::{self, Ulimit};

/// Flags about memory, processors, input and output, and counts.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Memory limit
    #[arg(short, long, value_name = "bytes", value_parser = flag::bytes)]
    pub(crate) memory: Option<i64>,
    /// Memory soft limit
    #[arg(long, value_name = "bytes", value_parser = flag::bytes)]
    pub(crate) memory_reservation: Option<i64>,
    /// Swap limit equal to memory plus swap: '-1' to enable unlimited swap
    #[arg(long, value_name = "bytes", value_parser = flag::bytes_or_unlimited, allow_hyphen_values = true)]
    pub(crate) memory_swap: Option<i64>,
    /// Tune container memory swappiness (0 to 100) (default -1)
    #[arg(long, value_name = "int", allow_hyphen_values = true)]
    pub(crate) memory_swappiness: Option<i64>,
    /// Disable OOM Killer
    #[arg(long)]
    pub(crate) oom_kill_disable: bool,
    /// Tune host's OOM preferences (-1000 to 1000)
    #[arg(long, value_name = "int", allow_hyphen_values = true, value_parser = oom_score)]
    pub(crate) oom_score_adj: Option<i64>,
    /// Number of CPUs
    #[arg(long, value_name = "decimal", value_parser = flag::cpus)]
    pub(crate) cpus: Option<i64>,
    /// CPU shares (relative weight)
    #[arg(short, long, value_name = "int")]
    pub(crate) cpu_shares: Option<i64>,
    /// Limit CPU CFS (Completely Fair Scheduler) period
    #[arg(long, value_name = "int")]
    pub(crate) cpu_period: Option<i64>,
    /// Limit CPU CFS (Completely Fair Scheduler) quota
    #[arg(long, value_name = "int", allow_hyphen_values = true)]
    pub(crate) cpu_quota: Option<i64>,
    /// Limit CPU real-time period in microseconds
    #[arg(long, value_name = "int")]
    pub(crate) cpu_rt_period: Option<i64>,
    /// Limit CPU real-time runtime in microseconds
    #[arg(long, value_name = "int")]
    pub(crate) cpu_rt_runtime: Option<i64>,
    /// CPUs in which to allow execution (0-3, 0,1)
    #[arg(long, value_name = "string")]
    pub(crate) cpuset_cpus: Option<String>,
    /// MEMs in which to allow execution (0-3, 0,1)
    #[arg(long, value_name = "string")]
    pub(crate) cpuset_mems: Option<String>,
    /// Tune container pids limit (set -1 for unlimited)
    #[arg(long, value_name = "int", allow_hyphen_values = true)]
    pub(crate) pids_limit: Option<i64>,
    /// Ulimit options
    #[arg(long, value_name = "ulimit", value_parser = flag::ulimit)]
    pub(crate) ulimit: Vec<Ulimit>,
    /// Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)
    #[arg(long, value_name = "uint16")]
    pub(crate) blkio_weight: Option<u16>,
    /// Block IO weight (relative device weight)
    #[arg(long, value_name = "list", value_parser = device_weight)]
    pub(crate) blkio_weight_device: Vec<(String, u64)>,
    /// Limit read rate (bytes per second) from a device
    #[arg(long, value_name = "list", value_parser = device_bytes)]
    pub(crate) device_read_bps: Vec<(String, u64)>,
    /// Limit write rate (bytes per second) to a device
    #[arg(long, value_name = "list", value_parser = device_bytes)]
    pub(crate) device_write_bps: Vec<(String, u64)>,
    /// Limit read rate (IO per second) from a device
    #[arg(long, value_name = "list", value_parser = device_count)]
    pub(crate) device_read_iops: Vec<(String, u64)>,
    /// Limit write rate (IO per second) to a device
    #[arg(long, value_name = "list", value_parser = device_count)]
    pub(crate) device_write_iops: Vec<(String, u64)>,
}

fn device_weight(text: &str) -> Result<(String, u64), String> {
    let (device, weight) = device_count(text)?;
    if weight != 0 && !(10..=1000).contains(&weight) {
        return Err(format!(
            "invalid weight for device: {text}; 0, or from 10 to 1000"
        ));
    }
    Ok((device, weight))
}

fn device_bytes(text: &str) -> Result<(String, u64), String> {
    let (device, rate) = device_and_value(text)?;
    let rate = u64::try_from(flag::bytes(rate)?)
        .map_err(|_| format!("invalid rate for device: {text}"))?;
    Ok((device, rate))
}

fn device_count(text: &str) -> Result<(String, u64), String> {
    let (device, rate) = device_and_value(text)?;
    let rate = rate
        .parse()
        .map_err(|_| format!("invalid rate for device: {text}; a whole number"))?;
    Ok((device, rate))
}

fn device_and_value(text: &str) -> Result<(String, &str), String> {
    let (device, value) = text
        .rsplit_once(':')
        .ok_or_else(|| format!("bad format: {text}; expected DEVICE:VALUE"))?;
    if !device.starts_with("/dev/") {
        return Err(format!(
            "bad format for device path: {device}; it must begin with /dev/"
        ));
    }
    Ok((device.to_owned(), value))
}

fn oom_score(text: &str) -> Result<i64, String> {
    let score = text
        .parse()
        .ok()
        .filter(|score| (-1000..=1000).contains(score));
    score.ok_or_else(|| "must be between -1000 and 1000".into())
}
