use crate::cx::Cx;
use crate::error::Outcome;

/// Remove unused local volumes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove all unused volumes, not just anonymous ones
    #[arg(short, long)]
    all: bool,
    /// Provide filter values (e.g. "label=<label>")
    #[arg(long, value_name = "filter")]
    filter: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let mut filters = super::super::filters(&args.filter)?;
    let warning = if args.all {
        "WARNING! This will remove all local volumes not used by at least one container."
    } else {
        "WARNING! This will remove anonymous local volumes not used by at least one container."
    };
    if !args.force && !super::sure(warning)? {
        return Ok(0);
    }
    if args.all {
        filters.add("all", "1");
    }
    let pruned = cx.client().await?.prune().volumes(&filters).await?;
    let gone = pruned.volumes.unwrap_or_default();
    super::told("Deleted Volumes:", &gone, pruned.space)?;
    Ok(0)
}
