use crate::cx::Cx;
use crate::error::Outcome;
use api::prune::ImagesPruned;

/// Remove unused images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove all unused images, not just dangling ones
    #[arg(short, long)]
    all: bool,
    /// Provide filter values (e.g. "until=<timestamp>")
    #[arg(long, value_name = "filter")]
    filter: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let mut filters = super::super::filters(&args.filter)?;
    let warning = if args.all {
        "WARNING! This will remove all images without at least one container associated to them."
    } else {
        "WARNING! This will remove all dangling images."
    };
    if !args.force && !super::sure(warning)? {
        return Ok(0);
    }
    if filters.get("dangling").is_empty() {
        filters.add("dangling", if args.all { "false" } else { "true" });
    }
    let pruned = cx.client().await?.prune().images(&filters).await?;
    super::told("Deleted Images:", &lines(&pruned), pruned.space)?;
    Ok(0)
}

/// What went, a line each.
pub(crate) fn lines(pruned: &ImagesPruned) -> Vec<String> {
    let mut lines = Vec::new();
    for item in pruned.images.iter().flatten() {
        lines.extend(item.untagged.iter().map(|name| format!("untagged: {name}")));
        lines.extend(item.deleted.iter().map(|id| format!("deleted: {id}")));
    }
    lines
}
