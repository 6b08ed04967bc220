use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::output::{self, human};
use crate::terminal;

/// Remove build cache
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    if !args.force {
        if !terminal::input() {
            return Err(Error::local("nobody is there to confirm it").with_hint("add --force"));
        }
        output::say(
            "WARNING! This will remove all build cache. Are you sure you want to continue? [y/N]",
        );
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.map_err(|why| Error::io("read", "the answer", why))?;
        if !answer.trim().eq_ignore_ascii_case("y") {
            return Ok(0);
        }
    }
    let pruned = cx.client().await?.builds().prune().await?;
    for key in &pruned.caches_deleted {
        output::line(human::short_id(key))?;
    }
    output::line(&format!(
        "Total reclaimed space: {}",
        human::size(pruned.space_reclaimed)
    ))?;
    Ok(0)
}
