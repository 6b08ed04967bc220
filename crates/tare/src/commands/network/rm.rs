use crate::cx::Cx;
use crate::error::Outcome;

/// Remove one or more networks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not error if the network does not exist
    #[arg(short, long)]
    force: bool,
    #[arg(required = true, hide = true)]
    networks: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    cx.each_quietly(&args.networks, async |name| {
        match client.networks().remove(name).await {
            Err(error) if args.force && error.status() == Some(404) => Ok(()),
            other => {
                other?;
                crate::output::line(name)
            }
        }
    })
    .await
}
