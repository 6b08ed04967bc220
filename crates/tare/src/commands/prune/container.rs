use crate::cx::Cx;
use crate::error::Outcome;

/// Remove all stopped containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Provide filter values (e.g. "until=<timestamp>")
    #[arg(long, value_name = "filter")]
    filter: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let filters = super::super::filters(&args.filter)?;
    if !args.force && !super::sure("WARNING! This will remove all stopped containers.")? {
        return Ok(0);
    }
    let pruned = cx.client().await?.prune().containers(&filters).await?;
    let gone = pruned.containers.unwrap_or_default();
    super::told("Deleted Containers:", &gone, pruned.space)?;
    Ok(0)
}
