use crate::cx::Cx;
use crate::error::Outcome;

/// Remove one or more volumes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Force the removal of one or more volumes
    #[arg(short, long)]
    force: bool,
    #[arg(required = true, hide = true)]
    volumes: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    cx.each(&args.volumes, async |name| {
        Ok(client.volumes().remove(name, args.force).await?)
    })
    .await
}
