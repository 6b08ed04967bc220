use crate::cx::Cx;
use crate::error::{Error, Outcome, Result};
use crate::{flag, output};
use api::event::Event;
use client::EventsQuery;
use jiff::Timestamp;

/// Get real time events from the server
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Filter output based on conditions provided
    #[arg(short, long, value_name = "filter")]
    filter: Vec<String>,
    /// Format output using a custom template: 'json' or a Go template
    #[arg(long, value_name = "string")]
    format: Option<String>,
    /// Show all events created since timestamp
    #[arg(long, value_name = "string", allow_hyphen_values = true)]
    since: Option<String>,
    /// Stream events until this timestamp
    #[arg(long, value_name = "string", allow_hyphen_values = true)]
    until: Option<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let moment = |name: &str, value: Option<&String>| {
        let text = value.map_or("", String::as_str);
        flag::when(text, cx.now()).map_err(|why| {
            Error::usage(format!(
                "invalid argument \"{text}\" for \"{name}\" flag: {why}"
            ))
        })
    };
    let query = EventsQuery {
        since: moment("--since", args.since.as_ref())?,
        until: moment("--until", args.until.as_ref())?,
        filters: super::filters(&args.filter)?,
    };
    let format = args.format.as_deref().unwrap_or_default();
    if !matches!(format, "" | "json") {
        // A mistake in it is told now, not with the first event.
        output::template(format)?;
    }
    let mut events = cx.client().await?.system().events(&query).await?;
    while let Some(event) = events.next().await? {
        print(&event, format)?;
    }
    Ok(0)
}

fn print(event: &Event, format: &str) -> Result<()> {
    if format.is_empty() {
        output::line(&sentence(event))
    } else {
        output::text(&super::formatted(format, event)?)
    }
}

/// `2026-11-24T09:00:00.000000000Z container start 4f66… (image=busybox, name=web)`
fn sentence(event: &Event) -> String {
    let time = Timestamp::from_nanosecond(event.time_nano.into()).unwrap_or_default();
    let mut text = format!(
        "{time:.9} {} {} {}",
        event.kind, event.action, event.actor.id
    );
    let pairs: Vec<String> = event
        .actor
        .attributes
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !pairs.is_empty() {
        text.push_str(&format!(" ({})", pairs.join(", ")));
    }
    text
}
