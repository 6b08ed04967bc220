use crate::commands::prune;
use crate::cx::Cx;
use crate::error::Outcome;
use crate::output::{self, human};
use api::Filters;

/// Remove unused data
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove all unused images not just dangling ones
    #[arg(short, long)]
    all: bool,
    /// Provide filter values (e.g. "label=<key>=<value>")
    #[arg(long, value_name = "filter")]
    filter: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
    /// Prune anonymous volumes
    #[arg(long)]
    volumes: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let filters = super::super::filters(&args.filter)?;
    if args.volumes && !filters.get("until").is_empty() {
        return Err(crate::error::Error::local(
            "The \"until\" filter is not supported with \"--volumes\"",
        ));
    }
    if !args.force && !prune::sure(&warning(&args))? {
        return Ok(0);
    }
    let engine = cx.client().await?.prune();
    let mut space = 0;
    let pruned = engine.containers(&filters).await?;
    space += pruned.space;
    part(
        "Deleted Containers:",
        &pruned.containers.unwrap_or_default(),
    )?;
    if args.volumes {
        let pruned = engine.volumes(&filters).await?;
        space += pruned.space;
        part("Deleted Volumes:", &pruned.volumes.unwrap_or_default())?;
    }
    let mut images = filters.clone();
    images.add("dangling", if args.all { "false" } else { "true" });
    let pruned = engine.images(&images).await?;
    space += pruned.space;
    part("Deleted Images:", &prune::image::lines(&pruned))?;
    let pruned = engine.builds(args.all, &Filters::default()).await?;
    space += pruned.space;
    part(
        "Deleted build cache objects:",
        &pruned.caches.unwrap_or_default(),
    )?;
    output::line(&format!("Total reclaimed space: {}", human::size(space)))?;
    Ok(0)
}

fn part(title: &str, gone: &[String]) -> crate::error::Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    output::line(title)?;
    for line in gone {
        output::line(line)?;
    }
    output::line("")
}

fn warning(args: &Args) -> String {
    let mut parts = vec!["all stopped containers"];
    if args.volumes {
        parts.push("all anonymous volumes not used by at least one container");
    }
    parts.push(if args.all {
        "all images without at least one container associated to them"
    } else {
        "all dangling images"
    });
    parts.push("unused build cache");
    let parts: String = parts.iter().map(|part| format!("  - {part}\n")).collect();
    let mut text = format!("WARNING! This will remove:\n{parts}");
    if !args.filter.is_empty() {
        text.push_str("\n  Items to be pruned will be filtered with:\n");
        for filter in &args.filter {
            text.push_str(&format!("  - {filter}\n"));
        }
    }
    text
}
