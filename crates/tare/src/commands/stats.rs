use crate::cx::Cx;
use crate::error::{Error, Outcome, Result};
use crate::output::{self, Format, View, human};
use crate::terminal;
use api::container::{BlkioEntry, CpuStats, StatsResponse};
use client::{Client, ContainerListQuery};
use std::collections::BTreeMap;
use std::time::Duration;

/// Display a live stream of container(s) resource usage statistics
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show all containers (default shows just running)
    #[arg(short, long)]
    all: bool,
    /// Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template
    #[arg(long, value_name = "string")]
    format: Option<String>,
    /// Disable streaming stats and only pull the first result
    #[arg(long)]
    no_stream: bool,
    /// Do not truncate output
    #[arg(long)]
    no_trunc: bool,
    #[arg(hide = true)]
    containers: Vec<String>,
}

const COLUMNS: &[&str] = &[
    "ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs",
];
/// How often the table is shown anew.
const INTERVAL: Duration = Duration::from_secs(1);
/// To the first line and clear the rest, each line's end too.
const HOME: &str = "\x1b[H";
const CLEAR: &str = "\x1b[J";

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let format = Format::parse(args.format.as_deref().unwrap_or_default())?;
    let client = cx.client().await?;
    // Named ones must be there at the beginning; those that go later just go.
    for name in &args.containers {
        client.containers().inspect(name).await?;
    }
    let screen = !args.no_stream && terminal::output();
    let mut before = by_id(samples(&args, client).await?);
    loop {
        tokio::time::sleep(INTERVAL).await;
        let samples = samples(&args, client).await?;
        let rows: Vec<Row<'_>> = samples
            .iter()
            .map(|(asked, now)| Row::new(asked, now, before.get(&now.id), args.no_trunc))
            .collect();
        let text = output::list(&rows, &format, COLUMNS)?;
        if screen {
            let lines = text.replace('\n', "\x1b[K\n");
            output::text(&format!("{HOME}{lines}{CLEAR}"))?;
        } else {
            output::text(&text)?;
        }
        if args.no_stream {
            return Ok(0);
        }
        before = by_id(samples);
    }
}

fn by_id(samples: Vec<(String, StatsResponse)>) -> BTreeMap<String, StatsResponse> {
    let each = samples.into_iter().map(|(_, s)| (s.id.clone(), s));
    each.collect()
}

/// What is used now by the containers that are wanted, with the name that each was asked for by.
async fn samples(args: &Args, client: &Client) -> Result<Vec<(String, StatsResponse)>> {
    let names = if args.containers.is_empty() {
        let query = ContainerListQuery {
            all: args.all,
            ..ContainerListQuery::default()
        };
        let list = client.containers().list(&query).await?;
        list.into_iter().map(|container| container.id).collect()
    } else {
        args.containers.clone()
    };
    let mut samples = Vec::new();
    for name in names {
        let stats = client.containers().stats(&name).await;
        match stats.map_err(Error::from) {
            Ok(stats) => samples.push((name, stats)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(samples)
}

struct Row<'a> {
    asked: &'a str,
    now: &'a StatsResponse,
    cpu: f64,
    whole: bool,
}

impl<'a> Row<'a> {
    fn new(
        asked: &'a str,
        now: &'a StatsResponse,
        before: Option<&StatsResponse>,
        whole: bool,
    ) -> Self {
        let nothing = CpuStats::default();
        let earlier = before.map_or(&nothing, |before| &before.cpu_stats);
        let later = &now.cpu_stats;
        let used = later
            .cpu_usage
            .total_usage
            .saturating_sub(earlier.cpu_usage.total_usage);
        let passed = later
            .system_cpu_usage
            .saturating_sub(earlier.system_cpu_usage);
        let cpu = if earlier.system_cpu_usage == 0 {
            0.0
        } else {
            share(used, passed) * f64::from(later.online_cpus)
        };
        Self {
            asked,
            now,
            cpu,
            whole,
        }
    }

    fn runs(&self) -> bool {
        self.now.read.0.is_some()
    }

    /// Memory without the caches that could go at once.
    fn memory(&self) -> u64 {
        let memory = &self.now.memory_stats;
        let cache = ["total_inactive_file", "inactive_file"]
            .iter()
            .find_map(|key| memory.stats.get(*key))
            .copied()
            .unwrap_or(0);
        memory.usage.checked_sub(cache).unwrap_or(memory.usage)
    }
}

/// In percent.
#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64 * 100.0
}

impl View for Row<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("BlockIO", "BLOCK I/O"),
        ("CPUPerc", "CPU %"),
        ("Container", "CONTAINER"),
        ("ID", "CONTAINER ID"),
        ("MemPerc", "MEM %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("Name", "NAME"),
        ("NetIO", "NET I/O"),
        ("PIDs", "PIDS"),
    ];

    fn text(&self, field: &str) -> String {
        let now = self.now;
        let memory = &now.memory_stats;
        let io = |kind| sum(now.blkio_stats.io_service_bytes_recursive.as_deref(), kind);
        let networks = now.networks.values();
        match field {
            "Container" => self.asked.to_owned(),
            "ID" if self.whole => now.id.clone(),
            "ID" => human::short_id(&now.id).to_owned(),
            "Name" => now.name.trim_start_matches('/').to_owned(),
            "CPUPerc" => format!("{:.2}%", self.cpu),
            "MemUsage" => format!("{} / {}", binary(self.memory()), binary(memory.limit)),
            "MemPerc" => format!("{:.2}%", share(self.memory(), memory.limit)),
            "NetIO" => {
                let (mut received, mut sent) = (0, 0);
                for network in networks {
                    received += network.rx_bytes;
                    sent += network.tx_bytes;
                }
                format!("{} / {}", decimal(received), decimal(sent))
            }
            "BlockIO" => format!("{} / {}", decimal(io('r')), decimal(io('w'))),
            "PIDs" if self.runs() => now.pids_stats.current.to_string(),
            "PIDs" => "0".to_owned(),
            _ => String::new(),
        }
    }
}

/// The bytes that were read or written, by the first letter of the operation.
fn sum(entries: Option<&[BlkioEntry]>, kind: char) -> u64 {
    let kind = |op: &str| {
        op.chars()
            .next()
            .is_some_and(|c| c.eq_ignore_ascii_case(&kind))
    };
    let entries = entries.unwrap_or_default().iter();
    entries.filter(|e| kind(&e.op)).map(|e| e.value).sum()
}

fn binary(bytes: u64) -> String {
    human::binary_size(i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn decimal(bytes: u64) -> String {
    human::size(i64::try_from(bytes).unwrap_or(i64::MAX))
}
