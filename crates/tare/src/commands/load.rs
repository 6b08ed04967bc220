use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::{archive, output, terminal};
use std::path::Path;

/// Load an image from a tar archive or STDIN
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Read from tar archive file or the directory of an OCI layout, instead of STDIN
    #[arg(short, long, value_name = "string")]
    input: Option<String>,
    /// Load only the given platform: "os[/arch[/variant]]"
    #[arg(long, value_name = "string")]
    platform: Option<String>,
    /// Suppress the load output
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let platform = super::platform(args.platform.as_deref())?;
    let client = cx.client().await?;
    let images = client.images();
    let mut messages = match args.input.as_deref() {
        Some(path) if path != "-" && Path::new(path).is_dir() => {
            let layout = archive::layout::read(path)?;
            images.load(layout, args.quiet, &platform).await?
        }
        Some(path) if path != "-" => {
            let file = super::open(path).await?;
            images.load(file, args.quiet, &platform).await?
        }
        _ if terminal::input() => {
            return Err(
                Error::local("requested load from stdin, but stdin is a terminal")
                    .with_hint("'tare load -i FILE', or 'tare load < FILE'"),
            );
        }
        _ => {
            images
                .load(tokio::io::stdin(), args.quiet, &platform)
                .await?
        }
    };
    while let Some(message) = messages.next().await? {
        let text = message.stream.trim_end_matches('\n');
        if !text.is_empty() {
            output::line(text)?;
        }
    }
    Ok(0)
}
