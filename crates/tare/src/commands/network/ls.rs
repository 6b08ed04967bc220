use crate::cx::Cx;
use crate::error::Outcome;
use crate::output::{self, Format, View};
use api::network::Network;
use serde_json::Value;

/// List networks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Provide filter values (e.g. "driver=bridge")
    #[arg(short, long, value_name = "filter")]
    filter: Vec<String>,
    /// Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template
    #[arg(long, value_name = "string")]
    format: Option<String>,
    /// Do not truncate the output
    #[arg(long)]
    no_trunc: bool,
    /// Only display network IDs
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let format = Format::parse(args.format.as_deref().unwrap_or_default())?;
    let filters = super::super::filters(&args.filter)?;
    let mut networks = cx.client().await?.networks().list(&filters).await?;
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    let whole = args.no_trunc;
    let rows: Vec<Row<'_>> = networks
        .iter()
        .map(|network| Row { network, whole })
        .collect();
    let text = if args.quiet {
        rows.iter().map(|row| row.text("ID") + "\n").collect()
    } else {
        output::list(&rows, &format, &["ID", "Name", "Driver", "Scope"])?
    };
    output::text(&text)?;
    Ok(0)
}

struct Row<'a> {
    network: &'a Network,
    /// Whether ids are shown whole.
    whole: bool,
}

impl View for Row<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("CreatedAt", "CREATED AT"),
        ("Driver", "DRIVER"),
        ("ID", "NETWORK ID"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("Name", "NAME"),
        ("Scope", "SCOPE"),
    ];

    fn text(&self, field: &str) -> String {
        let network = self.network;
        match field {
            "CreatedAt" => network
                .created
                .0
                .map_or_else(|| network.created.to_string(), output::human::moment),
            "Driver" => network.driver.clone(),
            "ID" if self.whole => network.id.clone(),
            "ID" => network.id.chars().take(12).collect(),
            "IPv4" => network.enable_ipv4.to_string(),
            "IPv6" => network.enable_ipv6.to_string(),
            "Internal" => network.internal.to_string(),
            "Labels" => super::super::labels(&network.labels),
            "Name" => network.name.clone(),
            "Scope" => network.scope.clone(),
            _ => String::new(),
        }
    }

    fn lookups(&self) -> Vec<(&'static str, Value)> {
        vec![("Label", serde_json::json!(self.network.labels))]
    }
}
