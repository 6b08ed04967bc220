use crate::cx::Cx;
use crate::error::Outcome;
use crate::output::{self, Format, View};
use api::volume::Volume;
use serde_json::Value;

/// List volumes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Provide filter values (e.g. "dangling=true")
    #[arg(short, long, value_name = "filter")]
    filter: Vec<String>,
    /// Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template
    #[arg(long, value_name = "string")]
    format: Option<String>,
    /// Only display volume names
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let format = Format::parse(args.format.as_deref().unwrap_or_default())?;
    let filters = super::super::filters(&args.filter)?;
    let mut volumes = cx.client().await?.volumes().list(&filters).await?.volumes;
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    let rows: Vec<Row<'_>> = volumes.iter().map(Row).collect();
    let text = if args.quiet {
        rows.iter().map(|row| row.text("Name") + "\n").collect()
    } else {
        output::list(&rows, &format, &["Driver", "Name"])?
    };
    output::text(&text)?;
    Ok(0)
}

struct Row<'a>(&'a Volume);

impl View for Row<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("Driver", "DRIVER"),
        ("Labels", "LABELS"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Name", "VOLUME NAME"),
        ("Scope", "SCOPE"),
    ];

    fn text(&self, field: &str) -> String {
        match field {
            "Driver" => self.0.driver.clone(),
            "Labels" => self
                .0
                .labels
                .as_ref()
                .map(super::super::labels)
                .unwrap_or_default(),
            "Mountpoint" => self.0.mountpoint.clone(),
            "Name" => self.0.name.clone(),
            "Scope" => self.0.scope.clone(),
            _ => String::new(),
        }
    }

    fn lookups(&self) -> Vec<(&'static str, Value)> {
        vec![(
            "Label",
            serde_json::json!(self.0.labels.clone().unwrap_or_default()),
        )]
    }
}
