use crate::cx::Cx;
use crate::error::{Error, Outcome};

/// Remove one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Force the removal of a running container (uses SIGKILL)
    #[arg(short, long)]
    force: bool,
    /// Remove the specified link
    #[arg(short, long)]
    link: bool,
    /// Remove anonymous volumes associated with the container
    #[arg(short, long)]
    volumes: bool,
    #[arg(required = true, hide = true)]
    containers: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    if args.link {
        return Err(Error::usage("links between containers are not supported"));
    }
    let client = cx.client().await?;
    cx.each(&args.containers, async |name| {
        let name = name.trim_matches('/');
        match client
            .containers()
            .remove(name, args.force, args.volumes)
            .await
        {
            // As in Docker, what is gone already is no failure of a forced removal.
            Err(error) if args.force && error.status() == Some(404) => {
                crate::output::failure(&error.into(), "");
                Ok(())
            }
            Err(error) if error.status() == Some(409) && error.advice().is_none() => {
                let how = format!(
                    "'tare stop {name}' first, or 'tare rm -f {name}' kills and removes it"
                );
                Err(Error::from(error).with_hint(how))
            }
            other => Ok(other?),
        }
    })
    .await
}
