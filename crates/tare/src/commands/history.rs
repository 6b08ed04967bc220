use crate::cx::Cx;
use crate::error::Outcome;
use crate::flag;
use crate::output::{self, Format, View, human};
use api::image::HistoryItem;
use jiff::Timestamp;

/// Show the history of an image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template
    #[arg(long, value_name = "string")]
    format: Option<String>,
    /// Print sizes and dates in human readable format (default true)
    #[arg(short = 'H', long, value_name = "bool", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide_default_value = true, value_parser = flag::boolean, action = clap::ArgAction::Set)]
    human: bool,
    /// Don't truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Only show image IDs
    #[arg(short, long)]
    quiet: bool,
    #[arg(required = true, hide = true)]
    image: String,
}

const COLUMNS: &[&str] = &["ID", "Created", "CreatedBy", "Size", "Comment"];

/// How much of an instruction is shown.
const WIDTH: usize = 45;

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let format = Format::parse(args.format.as_deref().unwrap_or_default())?;
    let history = cx.client().await?.images().history(&args.image).await?;
    let rows: Vec<Row<'_>> = history
        .iter()
        .map(|item| Row {
            item,
            args: &args,
            now: cx.now(),
        })
        .collect();
    let text = if args.quiet {
        rows.iter().map(|row| row.text("ID") + "\n").collect()
    } else {
        output::list(&rows, &format, COLUMNS)?
    };
    output::text(&text)?;
    Ok(0)
}

struct Row<'a> {
    item: &'a HistoryItem,
    args: &'a Args,
    now: Timestamp,
}

impl View for Row<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("Comment", "COMMENT"),
        ("Created", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("CreatedSince", "CREATED"),
        ("ID", "IMAGE"),
        ("Size", "SIZE"),
    ];

    fn text(&self, field: &str) -> String {
        let created = || {
            Timestamp::from_second(self.item.created)
                .ok()
                .filter(|t| t.as_second() > 0)
        };
        let since = || created().map_or_else(|| "N/A".into(), |then| human::ago(self.now, then));
        let at = || created().map_or_else(|| "N/A".into(), |then| then.to_string());
        match field {
            "ID" if self.args.no_trunc || self.item.id == "<missing>" => self.item.id.clone(),
            "ID" => human::short_id(&self.item.id).to_owned(),
            "Created" => {
                if self.args.human {
                    since()
                } else {
                    at()
                }
            }
            "CreatedAt" => at(),
            "CreatedSince" => since(),
            "CreatedBy" => {
                let text = self.item.created_by.replace('\t', " ");
                if self.args.no_trunc {
                    text
                } else {
                    human::ellipsis(&text, WIDTH)
                }
            }
            "Size" if self.args.human => human::size(self.item.size),
            "Size" => self.item.size.to_string(),
            "Comment" => self.item.comment.clone(),
            _ => String::new(),
        }
    }
}
