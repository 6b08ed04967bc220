use crate::cx::Cx;
use crate::error::Outcome;
use crate::{flag, output};
use client::Commit;

/// Create a new image from a container's changes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")
    #[arg(short, long, value_name = "string")]
    author: Option<String>,
    /// Apply Dockerfile instruction to the created image
    #[arg(short, long, value_name = "list")]
    change: Vec<String>,
    /// Commit message
    #[arg(short, long, value_name = "string")]
    message: Option<String>,
    /// Pause container during commit (default true)
    #[arg(short, long, value_name = "bool", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide_default_value = true, value_parser = flag::boolean, action = clap::ArgAction::Set)]
    pause: bool,
    /// Disable pausing container during commit
    #[arg(long)]
    no_pause: bool,
    #[arg(required = true, hide = true)]
    container: String,
    #[arg(hide = true)]
    name: Option<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let (repository, tag) = super::split_tag(args.name.as_deref().unwrap_or_default());
    let commit = Commit {
        repository: repository.to_owned(),
        tag: tag.unwrap_or_default().to_owned(),
        author: args.author.unwrap_or_default(),
        message: args.message.unwrap_or_default(),
        changes: args.change,
        no_pause: args.no_pause || !args.pause,
    };
    let client = cx.client().await?;
    let id = client.files().commit(&args.container, &commit).await?;
    output::line(&id)?;
    Ok(0)
}
