use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::{archive, terminal};

/// Export a container's filesystem as a tar archive
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write to a file, instead of STDOUT
    #[arg(short, long, value_name = "string")]
    output: Option<String>,
    #[arg(required = true, hide = true)]
    container: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let output = args.output.as_deref().filter(|path| !path.is_empty());
    match output {
        None if terminal::output() => {
            return Err(Error::local("cowardly refusing to save to a terminal")
                .with_hint("use the -o flag or redirect: 'tare export -o FILE CONTAINER'"));
        }
        Some(path) => archive::check_place(path)?,
        None => {}
    }
    let body = cx.client().await?.files().export(&args.container).await?;
    match output {
        None => crate::session::copy(body).await?,
        Some(path) => super::save::file(path, body).await?,
    }
    Ok(0)
}
