use crate::cx::Cx;
use crate::error::{Error, Outcome, Result};
use crate::output::board::{Board, Show};
use crate::{credentials, output};
use client::ImagePull;
use spec::Reference;

/// Download an image from a registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Download all tagged images in the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Set platform if server is multi-platform capable
    #[arg(long, value_name = "string")]
    platform: Option<String>,
    /// Suppress verbose output
    #[arg(short, long)]
    quiet: bool,
    #[arg(hide = true)]
    name: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let named = parse(&args.name)?;
    let bare = named.tag().is_none() && named.digest().is_none();
    if args.all_tags && !bare {
        return Err(Error::local("tag can't be used with --all-tags/-a"));
    }
    let reference = if bare && !args.all_tags {
        if !args.quiet {
            output::line("Using default tag: latest")?;
        }
        named
            .with_tag("latest")
            .map_err(|e| Error::local(e.to_string()))?
    } else {
        named
    };
    let show = if args.quiet {
        Show::Nothing
    } else {
        Show::Data
    };
    let platform = args.platform.as_deref().unwrap_or_default();
    download(&reference, platform, show, cx).await?;
    output::line(&reference.to_string())?;
    Ok(0)
}

/// Pulls what a user named, `latest` of a name alone.
pub(super) async fn fetch(name: &str, platform: &str, show: Show, cx: &Cx) -> Result<()> {
    let named = parse(name)?;
    let reference = if named.tag().is_none() && named.digest().is_none() {
        named
            .with_tag("latest")
            .map_err(|e| Error::local(e.to_string()))?
    } else {
        named
    };
    download(&reference, platform, show, cx).await
}

async fn download(reference: &Reference, platform: &str, show: Show, cx: &Cx) -> Result<()> {
    let digest = reference.digest().map(ToString::to_string);
    let tag = digest.or_else(|| reference.tag().map(str::to_owned));
    let pull = ImagePull {
        repository: reference.familiar_name(),
        tag: tag.unwrap_or_default(),
        platform: platform.to_owned(),
        registry_auth: credentials::header(&cx.settings, reference.domain()).await?,
    };
    let mut messages = cx.client().await?.images().pull(&pull).await?;
    let mut board = Board::new(show);
    while let Some(message) = messages.next().await? {
        board.show(&message)?;
    }
    Ok(())
}

fn parse(name: &str) -> Result<Reference> {
    Reference::parse_name(name).map_err(|error| Error::local(error.to_string()))
}
