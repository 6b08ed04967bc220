//! What a container uses.

use api::Time;
use api::container as wire;
use engine::container::{IoCount, NetworkUsage, Sample};

/// A sample, with the one before it.
pub(crate) fn encode(
    id: String,
    name: &str,
    sample: Sample,
    before: Option<&Sample>,
) -> wire::StatsResponse {
    let named = wire::StatsResponse {
        name: format!("/{name}"),
        id,
        ..wire::StatsResponse::default()
    };
    if sample.time.is_none() {
        return named;
    }
    let precpu_stats = before.map(processors).unwrap_or_default();
    let old = !sample.unified;
    // Version 1 counts all of it, version 2 has no file for the rest.
    let list = |counts: Vec<IoCount>| Some(counts.into_iter().map(|c| entry(c, old)).collect());
    let empty = || old.then(Vec::new);
    wire::StatsResponse {
        read: Time(sample.time),
        preread: Time(before.and_then(|sample| sample.time)),
        pids_stats: wire::PidsStats {
            current: sample.pids,
            // No limit: as Docker has it.
            limit: sample.pids_limit.unwrap_or(if old { 0 } else { u64::MAX }),
        },
        cpu_stats: processors(&sample),
        precpu_stats,
        blkio_stats: wire::BlkioStats {
            io_service_bytes_recursive: list(sample.io_bytes),
            io_serviced_recursive: if old { list(sample.io_requests) } else { None },
            io_queue_recursive: empty(),
            io_service_time_recursive: empty(),
            io_wait_time_recursive: empty(),
            io_merged_recursive: empty(),
            io_time_recursive: empty(),
            sectors_recursive: empty(),
        },
        memory_stats: wire::MemoryStats {
            usage: sample.memory.usage,
            max_usage: if old { sample.memory.peak } else { 0 },
            stats: sample.memory.details,
            failcnt: if old { sample.memory.failures } else { 0 },
            limit: sample.memory.limit,
        },
        networks: sample
            .networks
            .into_iter()
            .map(|(name, usage)| (name, interface(usage)))
            .collect(),
        ..named
    }
}

fn processors(sample: &Sample) -> wire::CpuStats {
    let cpu = &sample.cpu;
    wire::CpuStats {
        cpu_usage: wire::CpuUsage {
            total_usage: cpu.total,
            percpu_usage: super::unless_empty(cpu.per_cpu.clone()),
            usage_in_kernelmode: cpu.kernel,
            usage_in_usermode: cpu.user,
        },
        system_cpu_usage: cpu.system,
        online_cpus: cpu.online,
        throttling_data: wire::ThrottlingData {
            periods: cpu.periods,
            throttled_periods: cpu.throttled_periods,
            throttled_time: cpu.throttled,
        },
    }
}

/// Docker writes what is done with a small letter where the hierarchy is the unified one.
fn entry(count: IoCount, old: bool) -> wire::BlkioEntry {
    wire::BlkioEntry {
        major: count.major,
        minor: count.minor,
        op: if old {
            count.op
        } else {
            count.op.to_ascii_lowercase()
        },
        value: count.value,
    }
}

fn interface(usage: NetworkUsage) -> wire::NetworkStats {
    wire::NetworkStats {
        rx_bytes: usage.rx_bytes,
        rx_packets: usage.rx_packets,
        rx_errors: usage.rx_errors,
        rx_dropped: usage.rx_dropped,
        tx_bytes: usage.tx_bytes,
        tx_packets: usage.tx_packets,
        tx_errors: usage.tx_errors,
        tx_dropped: usage.tx_dropped,
    }
}
