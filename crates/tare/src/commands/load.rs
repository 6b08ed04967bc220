use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::{output, terminal};

/// Load an image from a tar archive or STDIN
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Read from tar archive file, instead of STDIN
    #[arg(short, long, value_name = "string")]
    input: Option<String>,
    /// Suppress the load output
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    let mut messages = match args.input.as_deref() {
        Some(path) if path != "-" => {
            client
                .images()
                .load(super::open(path).await?, args.quiet)
                .await?
        }
        _ if terminal::input() => {
            return Err(
                Error::local("requested load from stdin, but stdin is a terminal")
                    .with_hint("'tare load -i FILE', or 'tare load < FILE'"),
            );
        }
        _ => client.images().load(tokio::io::stdin(), args.quiet).await?,
    };
    while let Some(message) = messages.next().await? {
        let text = message.stream.trim_end_matches('\n');
        if !text.is_empty() {
            output::line(text)?;
        }
    }
    Ok(0)
}
