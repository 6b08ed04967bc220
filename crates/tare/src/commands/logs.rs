use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::{flag, session};
use client::LogsQuery;

/// Fetch the logs of a container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show extra details provided to logs
    #[arg(long)]
    details: bool,
    /// Follow log output
    #[arg(short, long)]
    follow: bool,
    /// Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
    #[arg(long, value_name = "string", allow_hyphen_values = true)]
    since: Option<String>,
    /// Number of lines to show from the end of the logs (default "all")
    #[arg(short = 'n', long, value_name = "string", allow_hyphen_values = true)]
    tail: Option<String>,
    /// Show timestamps
    #[arg(short, long)]
    timestamps: bool,
    /// Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
    #[arg(long, value_name = "string", allow_hyphen_values = true)]
    until: Option<String>,
    #[arg(required = true, hide = true)]
    container: String,
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
    let query = LogsQuery {
        stdout: true,
        stderr: true,
        follow: args.follow,
        timestamps: args.timestamps,
        since: moment("--since", args.since.as_ref())?,
        until: moment("--until", args.until.as_ref())?,
        tail: args.tail.clone().unwrap_or_default(),
    };
    if args.details {
        return Err(Error::usage(
            "--details is not supported: no log driver here adds any",
        ));
    }
    let client = cx.client().await?;
    let tty = client
        .containers()
        .inspect(&args.container)
        .await?
        .config
        .tty;
    let stream = client.containers().logs(&args.container, &query).await?;
    if tty {
        session::copy(stream).await?;
    } else {
        session::demultiplex(stream, true, true).await?;
    }
    Ok(0)
}
