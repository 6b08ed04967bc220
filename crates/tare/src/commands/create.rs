use super::options::{self, Options, Pull};
use crate::cx::Cx;
use crate::error::{Error, Outcome, Result};
use crate::output;
use api::container::CreateRequest;
use std::io::Write as _;
use std::path::Path;

/// Create a new container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let request = options::build(&args.options)?;
    let id = container(&args.options, &request, cx).await?;
    output::line(&id)?;
    Ok(0)
}

/// Makes the container, says its warnings and writes its id file.
pub(super) async fn container(
    options: &Options,
    request: &CreateRequest,
    cx: &Cx,
) -> Result<String> {
    let client = cx.client().await?;
    let mut cidfile = options.cidfile.as_deref().map(reserve).transpose()?;
    let name = options.name.as_deref().unwrap_or_default();
    let platform = options.platform.as_deref().unwrap_or_default();
    if options.pull == Pull::Always {
        let (repository, tag) = super::split_tag(options.image());
        let mut messages = client
            .images()
            .pull(repository, tag.unwrap_or("latest"), platform)
            .await?;
        while messages.next().await?.is_some() {}
    }
    let created = client
        .containers()
        .create(name, platform, request)
        .await
        .map_err(Error::from);
    let created = match created {
        Ok(created) => created,
        Err(error) => {
            if let Some(path) = options.cidfile.as_deref() {
                // Reserved, and of no use to anybody now.
                drop(std::fs::remove_file(path));
            }
            return Err(explained(error, options.image()));
        }
    };
    for warning in &created.warnings {
        output::say(&format!("WARNING: {warning}"));
    }
    if let Some(file) = &mut cidfile {
        let written = file.write_all(created.id.as_bytes());
        written.map_err(|why| Error::io("write", "the container ID file", why))?;
    }
    Ok(created.id)
}

/// The id file must be new: it may name another container.
fn reserve(path: &Path) -> Result<std::fs::File> {
    std::fs::File::create_new(path).map_err(|why| {
        if why.kind() == std::io::ErrorKind::AlreadyExists {
            return Error::usage(format!(
                "container ID file {} exists already: is the other container still there?",
                path.display()
            ));
        }
        Error::io("create container ID file", path.display(), why)
    })
}

fn explained(error: Error, image: &str) -> Error {
    if error.is_not_found() && error.message().contains("No such image") && error.hint().is_none() {
        return error.with_hint(format!(
            "'tare load -i FILE' or 'tare import FILE {image}' brings an image here; pulling from registries is not there yet"
        ));
    }
    error
}
