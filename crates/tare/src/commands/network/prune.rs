use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::output;

/// Remove all unused networks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Provide filter values (e.g. "until=<timestamp>")
    #[arg(long, value_name = "filter")]
    filter: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
}

const WARNING: &str = "WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue? [y/N] ";

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let filters = super::super::filters(&args.filter)?;
    if !args.force && !output::confirm(WARNING)? {
        return Err(Error::local("network prune has been cancelled"));
    }
    let report = cx.client().await?.networks().prune(&filters).await?;
    let gone = report.networks_deleted.unwrap_or_default();
    if !gone.is_empty() {
        output::line("Deleted Networks:")?;
        for name in &gone {
            output::line(name)?;
        }
        output::line("")?;
    }
    Ok(0)
}
