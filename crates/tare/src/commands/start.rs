use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::flag::{self, DetachKeys};
use crate::session::{Ended, Peer, Proxy, Session, Wanted};
use crate::{output, terminal};
use client::{AttachQuery, WaitCondition};

/// Start one or more stopped containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Attach STDOUT/STDERR and forward signals
    #[arg(short, long)]
    attach: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string", value_parser = flag::detach_keys)]
    detach_keys: Option<DetachKeys>,
    /// Attach container's STDIN
    #[arg(short, long)]
    interactive: bool,
    #[arg(required = true, hide = true)]
    containers: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    if args.attach || args.interactive {
        let [name] = args.containers.as_slice() else {
            return Err(Error::local(
                "you cannot start and attach multiple containers at once",
            ));
        };
        return attached(&args, name, cx).await;
    }
    let client = cx.client().await?;
    cx.each(&args.containers, async |name| {
        client.containers().start(name).await?;
        Ok(())
    })
    .await
}

async fn attached(args: &Args, name: &str, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    let containers = client.containers();
    let container = containers.inspect(name).await?;
    let (id, config) = (&container.id, &container.config);
    let stdin = args.interactive && config.open_stdin;
    if stdin && config.tty {
        terminal::require_input()?;
    }
    let query = AttachQuery {
        stdin,
        stdout: true,
        stderr: true,
        ..AttachQuery::default()
    };
    let streams = containers.attach(id, &query).await?;
    let condition = if container.host_config.auto_remove {
        WaitCondition::Removed
    } else {
        WaitCondition::NextExit
    };
    let waiting = containers.wait(id, condition).await?;
    let wanted = Wanted {
        stdin,
        stdout: true,
        stderr: true,
        tty: config.tty,
        keys: super::run::keys(args.detach_keys.as_ref())?,
    };
    let session = Session::prepare(client, wanted, Proxy::Yes)?;
    if let Err(error) = containers.start(id).await {
        drop(session);
        let error = Error::from(error);
        let code = error.start_code().unwrap_or(1);
        output::failure(&error, "");
        return Ok(code);
    }
    match session.hold(Peer::Container(id), streams).await? {
        Ended::Closed => super::run::finish(waiting).await,
        Ended::Detached => Ok(0),
        Ended::Signalled(code) => Ok(code),
    }
}
