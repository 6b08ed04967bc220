use crate::cx::Cx;
use crate::error::Outcome;
use crate::output;

/// Remove one or more images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Force removal of the image
    #[arg(short, long)]
    force: bool,
    /// Do not delete untagged parents
    #[arg(long)]
    no_prune: bool,
    #[arg(required = true, hide = true)]
    images: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    cx.each_quietly(&args.images, async |name| {
        for item in client
            .images()
            .remove(name, args.force, args.no_prune)
            .await?
        {
            if let Some(name) = &item.untagged {
                output::line(&format!("Untagged: {name}"))?;
            }
            if let Some(id) = &item.deleted {
                output::line(&format!("Deleted: {id}"))?;
            }
        }
        Ok(())
    })
    .await
}
