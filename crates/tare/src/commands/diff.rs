use crate::cx::Cx;
use crate::error::Outcome;
use crate::output::{self, Format, View};
use api::files::Change;

/// Inspect changes to files or directories on a container's filesystem
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(required = true, hide = true)]
    container: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let changes = cx.client().await?.files().changes(&args.container).await?;
    let rows: Vec<Row<'_>> = changes.iter().map(Row).collect();
    let format = Format::parse("{{.Type}} {{.Path}}")?;
    output::text(&output::list(&rows, &format, &[])?)?;
    Ok(0)
}

struct Row<'a>(&'a Change);

impl View for Row<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] =
        &[("Type", "CHANGE TYPE"), ("Path", "PATH")];

    fn text(&self, field: &str) -> String {
        match field {
            "Type" => match self.0.kind {
                0 => "C".to_owned(),
                1 => "A".to_owned(),
                _ => "D".to_owned(),
            },
            _ => self.0.path.clone(),
        }
    }
}
