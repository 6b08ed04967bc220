use crate::cx::Cx;
use crate::error::Outcome;

/// Restart one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Signal to send to the container
    #[arg(short, long, value_name = "string")]
    signal: Option<String>,
    /// Seconds to wait before killing the container
    #[arg(
        short,
        long,
        alias = "time",
        value_name = "int",
        allow_hyphen_values = true
    )]
    timeout: Option<i64>,
    #[arg(required = true, hide = true)]
    containers: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    cx.each(&args.containers, async |name| {
        client
            .containers()
            .restart(name, args.signal.as_deref(), args.timeout)
            .await?;
        Ok(())
    })
    .await
}
