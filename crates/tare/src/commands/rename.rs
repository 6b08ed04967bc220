use crate::cx::Cx;
use crate::error::Outcome;

/// Rename a container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(required = true, hide = true)]
    container: String,
    #[arg(required = true, hide = true)]
    new_name: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    client
        .containers()
        .rename(&args.container, &args.new_name)
        .await?;
    Ok(0)
}
