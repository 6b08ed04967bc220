use crate::cx::Cx;
use crate::error::Outcome;
use crate::output;

/// Compare what is on disk with what is known of it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove what nothing needs and nobody has: content without an image, directories of containers that are gone
    #[arg(long)]
    repair: bool,
    /// Also read all layers and blobs and compare their digests
    #[arg(long)]
    verify: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let system = cx.client().await?.system();
    if args.repair {
        system.repair().await?;
    }
    let findings = system.check(args.verify).await?;
    for finding in &findings {
        output::line(&format!("{}: {}", finding.subject, finding.problem))?;
    }
    if findings.is_empty() {
        output::say("no problems found");
    }
    Ok(u8::from(!findings.is_empty()))
}
