use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::output;
use client::ImageImport;

/// Import the contents from a tarball to create a filesystem image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Apply Dockerfile instruction to the created image
    #[arg(short, long, value_name = "list")]
    change: Vec<String>,
    /// Set commit message for imported image
    #[arg(short, long, value_name = "string")]
    message: Option<String>,
    /// Set platform if server is multi-platform capable
    #[arg(long, value_name = "string")]
    platform: Option<String>,
    #[arg(required = true, hide = true)]
    source: String,
    #[arg(hide = true)]
    name: Option<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    if args.source.contains("://") {
        let how = format!("curl -L {} | tare import - NAME", args.source);
        return Err(Error::usage("importing from a URL is not supported").with_hint(how));
    }
    let (repository, tag) = super::split_tag(args.name.as_deref().unwrap_or_default());
    let import = ImageImport {
        repository: repository.to_owned(),
        tag: tag.unwrap_or_default().to_owned(),
        message: args.message.clone().unwrap_or_default(),
        changes: args.change.clone(),
        platform: args.platform.clone().unwrap_or_default(),
    };
    let images = cx.client().await?;
    let mut messages = if args.source == "-" {
        images.images().import(&import, tokio::io::stdin()).await?
    } else {
        images
            .images()
            .import(&import, super::open(&args.source).await?)
            .await?
    };
    while let Some(message) = messages.next().await? {
        if !message.status.is_empty() && message.progress_detail.is_none() {
            output::line(&message.status)?;
        }
    }
    Ok(0)
}
