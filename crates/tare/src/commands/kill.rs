use crate::cx::Cx;
use crate::error::Outcome;

/// Kill one or more running containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Signal to send to the container
    #[arg(short, long, value_name = "string")]
    signal: Option<String>,
    #[arg(required = true, hide = true)]
    containers: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    cx.each(&args.containers, async |name| {
        Ok(client
            .containers()
            .kill(name, args.signal.as_deref())
            .await?)
    })
    .await
}
