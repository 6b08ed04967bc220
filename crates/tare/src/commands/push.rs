use crate::credentials;
use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::output;
use crate::output::board::{Board, Show};
use client::ImagePush;
use spec::Reference;

/// Upload an image to a registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Push all tags of an image to the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Push a platform-specific manifest as a single-platform image to the registry
    #[arg(long, value_name = "string")]
    platform: Option<String>,
    /// Suppress verbose output
    #[arg(short, long)]
    quiet: bool,
    #[arg(hide = true)]
    name: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let local = |error: spec::Error| Error::local(error.to_string());
    let named = Reference::parse_name(&args.name).map_err(local)?;
    if args.all_tags && named.tag().is_some() {
        return Err(Error::local("tag can't be used with --all-tags/-a"));
    }
    let bare = named.tag().is_none() && named.digest().is_none();
    let reference = if bare && !args.all_tags {
        if !args.quiet {
            output::line("Using default tag: latest")?;
        }
        named.with_tag("latest").map_err(local)?
    } else {
        named
    };
    let push = ImagePush {
        repository: reference.familiar_name(),
        tag: reference.tag().unwrap_or_default().to_owned(),
        platform: args.platform.unwrap_or_default(),
        registry_auth: credentials::header(&cx.settings, reference.domain()).await?,
    };
    let mut messages = cx.client().await?.images().push(&push).await?;
    let mut board = Board::new(if args.quiet {
        Show::Nothing
    } else {
        Show::Data
    });
    while let Some(message) = messages.next().await? {
        board.show(&message)?;
    }
    if args.quiet {
        output::line(&reference.to_string())?;
    }
    Ok(0)
}
