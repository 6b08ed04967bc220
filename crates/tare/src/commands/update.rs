use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::flag::{self, Restart};
use crate::output;
use api::container::{RestartPolicy, UpdateRequest};

/// Update configuration of one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)
    #[arg(long, value_name = "uint16")]
    blkio_weight: Option<u16>,
    /// Limit CPU CFS (Completely Fair Scheduler) period
    #[arg(long, value_name = "int")]
    cpu_period: Option<i64>,
    /// Limit CPU CFS (Completely Fair Scheduler) quota
    #[arg(long, value_name = "int", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Limit the CPU real-time period in microseconds
    #[arg(long, value_name = "int")]
    cpu_rt_period: Option<i64>,
    /// Limit the CPU real-time runtime in microseconds
    #[arg(long, value_name = "int")]
    cpu_rt_runtime: Option<i64>,
    /// CPU shares (relative weight)
    #[arg(short, long, value_name = "int")]
    cpu_shares: Option<i64>,
    /// Number of CPUs
    #[arg(long, value_name = "decimal", value_parser = flag::cpus)]
    cpus: Option<i64>,
    /// CPUs in which to allow execution (0-3, 0,1)
    #[arg(long, value_name = "string")]
    cpuset_cpus: Option<String>,
    /// MEMs in which to allow execution (0-3, 0,1)
    #[arg(long, value_name = "string")]
    cpuset_mems: Option<String>,
    /// Memory limit
    #[arg(short, long, value_name = "bytes", value_parser = flag::bytes)]
    memory: Option<i64>,
    /// Memory soft limit
    #[arg(long, value_name = "bytes", value_parser = flag::bytes)]
    memory_reservation: Option<i64>,
    /// Swap limit equal to memory plus swap: '-1' to enable unlimited swap
    #[arg(long, value_name = "bytes", value_parser = flag::bytes_or_unlimited, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Tune container pids limit (set -1 for unlimited)
    #[arg(long, value_name = "int", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Restart policy to apply when a container exits
    #[arg(long, value_name = "string", value_parser = flag::restart)]
    restart: Option<Restart>,
    #[arg(required = true, hide = true)]
    containers: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let request = request(&args);
    if request == UpdateRequest::default() {
        return Err(Error::usage(
            "you must provide one or more flags when using this command",
        ));
    }
    let client = cx.client().await?;
    cx.each(&args.containers, async |name| {
        let updated = client.containers().update(name, &request).await?;
        for warning in updated.warnings.unwrap_or_default() {
            output::say(&warning);
        }
        Ok(())
    })
    .await
}

fn request(args: &Args) -> UpdateRequest {
    UpdateRequest {
        cpu_shares: args.cpu_shares.unwrap_or_default(),
        memory: args.memory.unwrap_or_default(),
        nano_cpus: args.cpus.unwrap_or_default(),
        blkio_weight: args.blkio_weight.unwrap_or_default(),
        cpu_period: args.cpu_period.unwrap_or_default(),
        cpu_quota: args.cpu_quota.unwrap_or_default(),
        cpu_realtime_period: args.cpu_rt_period.unwrap_or_default(),
        cpu_realtime_runtime: args.cpu_rt_runtime.unwrap_or_default(),
        cpuset_cpus: args.cpuset_cpus.clone().unwrap_or_default(),
        cpuset_mems: args.cpuset_mems.clone().unwrap_or_default(),
        memory_reservation: args.memory_reservation.unwrap_or_default(),
        memory_swap: args.memory_swap.unwrap_or_default(),
        pids_limit: args.pids_limit,
        restart_policy: args
            .restart
            .as_ref()
            .map_or_else(RestartPolicy::default, |policy| RestartPolicy {
                name: policy.name.clone(),
                maximum_retry_count: policy.retries,
            }),
    }
}
