use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::flag::{self, DetachKeys};
use crate::session::{Ended, Peer, Proxy, Session, Wanted};
use crate::terminal;
use client::{AttachQuery, WaitCondition};

/// Attach local standard input, output, and error streams to a running container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string", value_parser = flag::detach_keys)]
    detach_keys: Option<DetachKeys>,
    /// Do not attach STDIN
    #[arg(long)]
    no_stdin: bool,
    /// Proxy all received signals to the process (default true)
    #[arg(long, value_name = "bool", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide_default_value = true, value_parser = flag::boolean, action = clap::ArgAction::Set)]
    sig_proxy: bool,
    #[arg(required = true, hide = true)]
    container: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    let containers = client.containers();
    let container = containers.inspect(&args.container).await?;
    if !container.state.running {
        return Err(
            Error::local("cannot attach to a stopped container, start it first")
                .with_hint(format!("'tare start -a {}'", args.container)),
        );
    }
    if container.state.paused {
        return Err(Error::local(
            "cannot attach to a paused container, unpause it first",
        ));
    }
    let stdin = !args.no_stdin && container.config.open_stdin;
    if stdin && container.config.tty {
        terminal::require_input()?;
    }
    let waiting = containers
        .wait(&container.id, WaitCondition::NotRunning)
        .await?;
    let query = AttachQuery {
        stdin,
        stdout: true,
        stderr: true,
        ..AttachQuery::default()
    };
    let streams = containers.attach(&container.id, &query).await?;
    let wanted = Wanted {
        stdin,
        stdout: true,
        stderr: true,
        tty: container.config.tty,
        keys: super::run::keys(args.detach_keys.as_ref())?,
    };
    let proxy = if args.sig_proxy {
        Proxy::Yes
    } else {
        Proxy::No
    };
    let session = Session::prepare(client, wanted, proxy)?;
    if container.config.tty
        && let Some((rows, columns)) = terminal::size()
    {
        // Two sizes make two signals: a full-screen program draws itself again.
        drop(
            containers
                .resize(
                    &container.id,
                    rows.saturating_add(1),
                    columns.saturating_add(1),
                )
                .await,
        );
    }
    match session
        .hold(Peer::Container(&container.id), streams)
        .await?
    {
        Ended::Closed => super::run::finish(waiting).await,
        Ended::Detached => Ok(0),
        Ended::Signalled(code) => Ok(code),
    }
}
