use super::options;
use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::flag::{self, DetachKeys};
use crate::session::{Ended, Peer, Proxy, Session, Wanted};
use crate::{output, terminal};
use api::exec::{ExecConfig, ExecStart};

/// Execute a command in a running container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Detached mode: run command in the background
    #[arg(short, long)]
    detach: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string", value_parser = flag::detach_keys)]
    detach_keys: Option<DetachKeys>,
    /// Set environment variables
    #[arg(short, long, value_name = "list")]
    env: Vec<String>,
    /// Read in a file of environment variables
    #[arg(long, value_name = "list")]
    env_file: Vec<String>,
    /// Keep STDIN open even if not attached
    #[arg(short, long)]
    interactive: bool,
    /// Give extended privileges to the command
    #[arg(long)]
    privileged: bool,
    /// Allocate a pseudo-TTY
    #[arg(short, long)]
    tty: bool,
    /// Username or UID (format: "<name|uid>[:<group|gid>]")
    #[arg(short, long, value_name = "string")]
    user: Option<String>,
    /// Working directory inside the container
    #[arg(short, long, value_name = "string")]
    workdir: Option<String>,
    #[arg(required = true, num_args = 2.., trailing_var_arg = true, hide = true)]
    container_and_command: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let [container, command @ ..] = args.container_and_command.as_slice() else {
        return Err(Error::usage("a container and a command are needed"));
    };
    if !args.detach && args.tty && args.interactive {
        terminal::require_input()?;
    }
    let size = if args.tty { terminal::size() } else { None };
    let config = ExecConfig {
        user: args.user.clone().unwrap_or_default(),
        privileged: args.privileged,
        tty: args.tty,
        console_size: size,
        attach_stdin: args.interactive && !args.detach,
        attach_stdout: !args.detach,
        attach_stderr: !args.detach,
        detach: args.detach,
        env: Some(options::environment(&args.env_file, &args.env)?),
        working_dir: args.workdir.clone().unwrap_or_default(),
        cmd: Some(command.to_vec()),
        ..ExecConfig::default()
    };
    match start(&args, container, &config, cx).await {
        Err(error) if error.start_code().is_some() => {
            let code = error.start_code().unwrap_or(1);
            output::failure(&error, "");
            Ok(code)
        }
        other => other,
    }
}

async fn start(args: &Args, container: &str, config: &ExecConfig, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    let created = client.containers().exec(container, config).await;
    let id = created.map_err(|error| match error.status() {
        Some(409) if error.advice().is_none() => {
            Error::from(error).with_hint(format!("'tare start {container}' starts it"))
        }
        _ => Error::from(error),
    })?;
    let start = ExecStart {
        detach: args.detach,
        tty: args.tty,
        console_size: config.console_size,
    };
    if args.detach {
        client.execs().start_detached(&id, &start).await?;
        return Ok(0);
    }
    let wanted = Wanted {
        stdin: args.interactive,
        stdout: true,
        stderr: true,
        tty: args.tty,
        keys: super::run::keys(args.detach_keys.as_ref())?,
    };
    // Signals end this command, not what runs there: as in Docker.
    let session = Session::prepare(client, wanted, Proxy::No)?;
    let streams = client.execs().start(&id, &start).await?;
    match session.hold(Peer::Exec(&id), streams).await? {
        Ended::Closed => {
            let code = client
                .execs()
                .inspect(&id)
                .await?
                .exit_code
                .unwrap_or_default();
            Ok(code.to_le_bytes()[0])
        }
        Ended::Detached => Ok(0),
        Ended::Signalled(code) => Ok(code),
    }
}
