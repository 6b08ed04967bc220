use crate::cx::Cx;
use crate::error::{Error, Outcome, Result};
use crate::{archive, terminal};
use client::Download;
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Save one or more images to a tar archive (streamed to STDOUT by default)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write to a file, instead of STDOUT. A directory, or a path that ends in a slash, becomes an OCI layout
    #[arg(short, long, value_name = "string")]
    output: Option<String>,
    /// Save only the given platform: "os[/arch[/variant]]"
    #[arg(long, value_name = "string")]
    platform: Option<String>,
    #[arg(required = true, hide = true)]
    images: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let output = args.output.as_deref().filter(|path| !path.is_empty());
    if output.is_none() && terminal::output() {
        return Err(Error::local("cowardly refusing to save to a terminal")
            .with_hint("use the -o flag or redirect: 'tare save -o FILE IMAGE'"));
    }
    let platform = super::platform(args.platform.as_deref())?;
    if let Some(path) = output {
        archive::check_place(path)?;
    }
    let images = cx.client().await?;
    let body = images.images().save(&args.images, &platform).await?;
    match output {
        None => crate::session::copy(body).await?,
        Some(path) if path.ends_with('/') || Path::new(path).is_dir() => {
            archive::layout::write(path, body).await?;
        }
        Some(path) => file(path, body).await?,
    }
    Ok(0)
}

/// Writes a file, which is there only when it is whole.
pub(super) async fn file(path: &str, mut body: Download) -> Result<()> {
    let mut file = archive::NewFile::create(path)?;
    let mut chunk = vec![0; 128 << 10];
    loop {
        let read = body.read(&mut chunk).await;
        let count = read.map_err(|why| Error::unreachable("read the archive", why))?;
        if count == 0 {
            break;
        }
        let written = file.writer().write_all(&chunk[..count]).await;
        written.map_err(|why| Error::io("write", path, why))?;
    }
    file.keep().await
}
