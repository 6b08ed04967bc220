use crate::cx::Cx;
use crate::error::Outcome;

/// Unpause all processes within one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(required = true, hide = true)]
    containers: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    cx.each(&args.containers, async |name| {
        Ok(client.containers().unpause(name).await?)
    })
    .await
}
