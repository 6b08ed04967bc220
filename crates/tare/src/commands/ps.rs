use crate::cx::Cx;
use crate::error::Outcome;
use crate::output::{self, Format, View, human};
use api::container::{ContainerSummary, Port};
use client::ContainerListQuery;
use jiff::Timestamp;
use serde_json::Value;

/// List containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show all containers (default shows just running)
    #[arg(short, long)]
    all: bool,
    /// Filter output based on conditions provided
    #[arg(short, long, value_name = "filter")]
    filter: Vec<String>,
    /// Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template
    #[arg(long, value_name = "string")]
    format: Option<String>,
    /// Show n last created containers (includes all states) (default -1)
    #[arg(short = 'n', long, value_name = "int", allow_hyphen_values = true)]
    last: Option<i64>,
    /// Show the latest created container (includes all states)
    #[arg(short, long)]
    latest: bool,
    /// Don't truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Only display container IDs
    #[arg(short, long)]
    quiet: bool,
    /// Display total file sizes
    #[arg(short, long)]
    size: bool,
}

const COLUMNS: &[&str] = &[
    "ID",
    "Image",
    "Command",
    "RunningFor",
    "Status",
    "Ports",
    "Names",
];
const COLUMNS_WITH_SIZE: &[&str] = &[
    "ID",
    "Image",
    "Command",
    "RunningFor",
    "Status",
    "Ports",
    "Names",
    "Size",
];

/// How much of a command, and of a volume's name, is shown.
const COMMAND_WIDTH: usize = 20;
const MOUNT_WIDTH: usize = 15;

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let format = Format::parse(args.format.as_deref().unwrap_or_default())?;
    let last = if args.latest {
        1
    } else {
        args.last.unwrap_or(-1)
    };
    let query = ContainerListQuery {
        all: args.all || last > 0,
        limit: (last > 0).then_some(last),
        size: args.size,
        filters: super::filters(&args.filter)?,
    };
    let containers = cx.client().await?.containers().list(&query).await?;
    let row = |summary| Row {
        summary,
        now: cx.now(),
        whole: args.no_trunc,
    };
    let rows: Vec<Row<'_>> = containers.iter().map(row).collect();
    let text = if args.quiet {
        rows.iter().map(|row| row.text("ID") + "\n").collect()
    } else {
        output::list(
            &rows,
            &format,
            if args.size {
                COLUMNS_WITH_SIZE
            } else {
                COLUMNS
            },
        )?
    };
    output::text(&text)?;
    Ok(0)
}

struct Row<'a> {
    summary: &'a ContainerSummary,
    now: Timestamp,
    whole: bool,
}

impl View for Row<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Labels", "LABELS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Mounts", "MOUNTS"),
        ("Names", "NAMES"),
        ("Networks", "NETWORKS"),
        ("Ports", "PORTS"),
        ("RunningFor", "CREATED"),
        ("Size", "SIZE"),
        ("State", "STATE"),
        ("Status", "STATUS"),
    ];

    fn text(&self, field: &str) -> String {
        let c = self.summary;
        match field {
            "ID" if self.whole => c.id.clone(),
            "ID" => human::short_id(&c.id).to_owned(),
            "Image" => image(c, self.whole),
            "Command" if self.whole => format!("{:?}", c.command),
            "Command" => format!("{:?}", human::ellipsis(&c.command, COMMAND_WIDTH)),
            "CreatedAt" => created(c).map(human::moment).unwrap_or_default(),
            "RunningFor" => created(c)
                .map(|then| human::ago(self.now, then))
                .unwrap_or_default(),
            "Status" => c.status.clone(),
            "State" => c.state.clone(),
            "Ports" => ports(&c.ports),
            "Names" => names(&c.names),
            "Labels" => super::labels(&c.labels),
            "Mounts" => mounts(c, self.whole),
            "LocalVolumes" => c
                .mounts
                .iter()
                .filter(|m| m.driver == "local")
                .count()
                .to_string(),
            "Networks" => c
                .network_settings
                .networks
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(","),
            "Size" => size(c),
            _ => String::new(),
        }
    }

    fn lookups(&self) -> Vec<(&'static str, Value)> {
        vec![("Label", serde_json::json!(self.summary.labels))]
    }
}

fn created(container: &ContainerSummary) -> Option<Timestamp> {
    Timestamp::from_second(container.created).ok()
}

fn image(container: &ContainerSummary, whole: bool) -> String {
    match container.image.as_str() {
        "" => "<no image>".to_owned(),
        id if !whole && id == container.image_id => human::short_id(id).to_owned(),
        name => name.to_owned(),
    }
}

/// The container's own names, without those that links gave it.
fn names(names: &[String]) -> String {
    let own = names
        .iter()
        .map(|name| name.strip_prefix('/').unwrap_or(name));
    own.filter(|name| !name.contains('/'))
        .collect::<Vec<_>>()
        .join(",")
}

fn mounts(container: &ContainerSummary, whole: bool) -> String {
    let shown = container.mounts.iter().map(|mount| {
        let name = if mount.name.is_empty() {
            &mount.source
        } else {
            &mount.name
        };
        if whole {
            name.clone()
        } else {
            human::ellipsis(name, MOUNT_WIDTH)
        }
    });
    shown.collect::<Vec<_>>().join(",")
}

fn size(container: &ContainerSummary) -> String {
    let own = human::size(container.size_rw.unwrap_or_default());
    match container.size_root_fs {
        Some(whole) if whole > 0 => format!("{own} (virtual {})", human::size(whole)),
        _ => own,
    }
}

/// `0.0.0.0:8080->80/tcp, 90/tcp`, in the order of ports; those that follow one another as a range, as Docker has it.
fn ports(ports: &[Port]) -> String {
    let mut ports: Vec<&Port> = ports.iter().collect();
    let place = |port: &Port| {
        (
            port.kind.clone(),
            port.ip.contains(':'),
            port.ip.clone(),
            port.private_port,
            port.public_port,
        )
    };
    ports.sort_by_key(|port| place(port));
    let together = |a: &&Port, b: &&Port| {
        let next = |a: u16, b: u16| a.checked_add(1) == Some(b);
        let public = (a.public_port == 0 && b.public_port == 0)
            || (a.public_port != 0 && next(a.public_port, b.public_port));
        a.kind == b.kind && a.ip == b.ip && next(a.private_port, b.private_port) && public
    };
    let mut runs: Vec<&[&Port]> = ports.chunk_by(together).collect();
    runs.sort_by_key(|run| {
        let first = run[0];
        (first.private_port, first.kind.clone(), place(first))
    });
    let shown = runs.iter().filter_map(|run| {
        let (first, last) = (run.first()?, run.last()?);
        let range = |from: u16, to: u16| {
            if from == to {
                from.to_string()
            } else {
                format!("{from}-{to}")
            }
        };
        let private = range(first.private_port, last.private_port);
        if first.public_port == 0 {
            return Some(format!("{private}/{}", first.kind));
        }
        let ip = if first.ip.contains(':') {
            format!("[{}]", first.ip)
        } else {
            first.ip.clone()
        };
        let public = range(first.public_port, last.public_port);
        Some(format!("{ip}:{public}->{private}/{}", first.kind))
    });
    shown.collect::<Vec<_>>().join(", ")
}
