use super::create;
use super::options::{self, Options};
use crate::cx::Cx;
use crate::error::{Error, Kind, Outcome, REFUSED, Result};
use crate::flag::{self, DetachKeys};
use crate::session::{Ended, Peer, Proxy, Session, Wanted};
use crate::{output, terminal};
use api::container::{CreateRequest, WaitResponse};
use client::{AttachQuery, WaitCondition, Waiting};
use engine::Prospect;
use std::time::Duration;

/// How long a container that could not be started may take to be gone (`--rm`).
const REMOVAL: Duration = Duration::from_secs(10);

/// Create and run a new container from an image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run container in background and print container ID
    #[arg(short, long)]
    detach: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string", value_parser = flag::detach_keys)]
    detach_keys: Option<DetachKeys>,
    /// Proxy received signals to the process (default true)
    #[arg(long, value_name = "bool", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide_default_value = true, value_parser = flag::boolean, action = clap::ArgAction::Set)]
    sig_proxy: bool,
    #[command(flatten)]
    options: Options,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let mut request = options::build(&args.options)?;
    if args.detach {
        if !args.options.process.attach.is_empty() {
            return Err(Error::usage(
                "conflicting options: cannot specify both --attach and --detach",
            ));
        }
        let config = &mut request.config;
        config.attach_stdin = false;
        config.attach_stdout = false;
        config.attach_stderr = false;
        config.stdin_once = false;
    } else if request.config.tty && request.config.attach_stdin {
        terminal::require_input()?;
    }
    if request.config.tty {
        request.host_config.console_size = terminal::size().unwrap_or_default();
    }
    match start(&args, &request, cx).await {
        Err(error) if !matches!(error.kind, Kind::Usage | Kind::Closed) => {
            output::failure(&error, "run");
            output::say("See 'tare run --help'.");
            Ok(error.start_code().unwrap_or(REFUSED))
        }
        other => other,
    }
}

async fn start(args: &Args, request: &CreateRequest, cx: &Cx) -> Outcome {
    // Nothing else will be asked of it before: a container's start may begin now.
    cx.client_to(Prospect::Run).await?;
    let id = create::container(&args.options, request, cx).await?;
    if args.detach {
        cx.client().await?.containers().start(&id).await?;
        output::line(&id)?;
        return Ok(0);
    }
    foreground(args, request, &id, cx).await
}

/// Attaches and waits first, so that neither the first byte nor the end can be missed.
async fn foreground(args: &Args, request: &CreateRequest, id: &str, cx: &Cx) -> Outcome {
    let config = &request.config;
    let client = cx.client().await?;
    let containers = client.containers();
    let attached = config.attach_stdin || config.attach_stdout || config.attach_stderr;
    let streams = if attached {
        let query = AttachQuery {
            stdin: config.attach_stdin,
            stdout: config.attach_stdout,
            stderr: config.attach_stderr,
            logs: false,
            detach_keys: String::new(),
        };
        Some(containers.attach(id, &query).await?)
    } else {
        None
    };
    let condition = if args.options.process.rm {
        WaitCondition::Removed
    } else {
        WaitCondition::NextExit
    };
    let waiting = containers.wait(id, condition).await?;
    let wanted = Wanted {
        stdin: config.attach_stdin,
        stdout: config.attach_stdout,
        stderr: config.attach_stderr,
        tty: config.tty,
        keys: keys(args.detach_keys.as_ref())?,
    };
    let proxy = if args.sig_proxy {
        Proxy::Yes
    } else {
        Proxy::No
    };
    let session = Session::prepare(client, wanted, proxy)?;
    if let Err(error) = containers.start(id).await {
        drop(session);
        if args.options.process.rm {
            drop(tokio::time::timeout(REMOVAL, waiting.exit()).await);
        }
        return Err(error.into());
    }
    match streams {
        None => {
            output::line(id)?;
            finish(waiting).await
        }
        Some(streams) => match session.hold(Peer::Container(id), streams).await? {
            Ended::Closed => finish(waiting).await,
            Ended::Detached => Ok(0),
            Ended::Signalled(code) => Ok(code),
        },
    }
}

/// The keys that were asked for, or the usual ones.
pub(super) fn keys(wanted: Option<&DetachKeys>) -> Result<DetachKeys> {
    wanted.map_or_else(
        || flag::detach_keys("").map_err(Error::usage),
        |keys| Ok(keys.clone()),
    )
}

/// The container's exit code as this process's own.
pub(super) async fn finish(waiting: Waiting) -> Outcome {
    exit_code(&waiting.exit().await?)
}

fn exit_code(ended: &WaitResponse) -> Outcome {
    if let Some(error) = ended
        .error
        .as_ref()
        .filter(|error| !error.message.is_empty())
    {
        return Err(Error::engine(500, error.message.clone()));
    }
    // As a shell would: the low byte.
    Ok(ended.status_code.to_le_bytes()[0])
}
