use super::options::{self, Options, Pull};
use super::pull;
use crate::cx::Cx;
use crate::error::{Error, Outcome, Result};
use crate::output;
use crate::output::board::Show;
use api::container::CreateRequest;
use spec::Reference;
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
    let create = || async {
        let created = client.containers().create(name, platform, request).await;
        created.map_err(Error::from)
    };
    let made = async {
        if options.pull == Pull::Always {
            fetch(options, cx).await?;
        }
        match create().await {
            Err(error) if options.pull == Pull::Missing && lacks_image(&error) => {
                let reference = registry_name(options.image());
                let Some(reference) = reference else {
                    return Err(error);
                };
                if !options.quiet {
                    output::say(&format!("Unable to find image '{reference}' locally"));
                }
                fetch(options, cx).await?;
                create().await
            }
            other => other,
        }
    };
    let created = match made.await {
        Ok(created) => created,
        Err(error) => {
            if let Some(path) = options.cidfile.as_deref() {
                // Reserved, and of no use to anybody now.
                drop(std::fs::remove_file(path));
            }
            return Err(error);
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

/// Pulls the container's image; what that says is talk here.
async fn fetch(options: &Options, cx: &Cx) -> Result<()> {
    let show = if options.quiet {
        Show::Nothing
    } else {
        Show::Talk
    };
    let platform = options.platform.as_deref().unwrap_or_default();
    pull::fetch(options.image(), platform, show, cx).await
}

/// The image's reference; none for what can only be an id.
fn registry_name(image: &str) -> Option<String> {
    Reference::parse(image)
        .ok()
        .map(|reference| reference.familiar())
}

fn lacks_image(error: &Error) -> bool {
    error.is_not_found() && error.message().contains("No such image")
}
