use crate::cx::Cx;
use crate::error::Outcome;

/// Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(required = true, hide = true)]
    source: String,
    #[arg(required = true, hide = true)]
    target: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    let (repository, tag) = super::split_tag(&args.target);
    client
        .images()
        .tag(&args.source, repository, tag.unwrap_or_default())
        .await?;
    Ok(0)
}
