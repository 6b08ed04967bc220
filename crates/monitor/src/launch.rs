//! From an order to a running program.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use failpoint::failpoint;
use kernel::process::boot_id;
use kernel::signal::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};
use protocol::launch::Channel;
use protocol::log::{Stream, Writer};
use protocol::state::SOCKET;
use protocol::{
    Condition, EventLog, GivenNetwork, Launch, Ready, Restart, State, StateLock, launch as numbers,
};
use runtime::Stdio;
use rustix::fs::{AtFlags, Mode};
use rustix::pty::OpenptFlags;

use crate::chronicle::Chronicle;
use crate::clock;
use crate::container::Made;
use crate::error::{During, Error, Result};
use crate::names::{Namespaces, Resolver};
use crate::output::Output;
use crate::preparation::Preparation;
use crate::record::Place;
use crate::serve::{Monitor, Orders};
use crate::streams::{Source, from_program, to_program};

/// The descriptors that the engine gives.
#[derive(Debug)]
pub(crate) struct Given {
    channel: Channel,
    launch: OwnedFd,
    root: OwnedFd,
    container_dir: OwnedFd,
    run_dir: OwnedFd,
}

impl Given {
    /// Waits until they come. `None`: nothing is to be run after all.
    pub(crate) fn wait(channel: OwnedFd) -> Result<Option<Self>> {
        let channel = Channel::new(channel);
        let Some(fds) = channel.receive().during("take order")? else {
            return Ok(None);
        };
        kernel::inherited::place(fds).during("take order")?;
        let take = |number| kernel::inherited::take(number).during("take order");
        Ok(Some(Self {
            channel,
            launch: take(numbers::LAUNCH_FD)?,
            root: take(numbers::ROOT_FD)?,
            container_dir: take(numbers::CONTAINER_DIR_FD)?,
            run_dir: take(numbers::RUN_DIR_FD)?,
        }))
    }
}

/// Makes the process what a monitor is: nobody's in particular.
pub(crate) fn settle() -> Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM, SIGPIPE] {
        kernel::signal::ignore(signal).during("ignore signals")?;
    }
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::chdir("/").during("change directory")?;
    // Nobody looks into it through /proc (R6); its children become dumpable by executing their program.
    kernel::process::forbid_tracing().during("forbid tracing")
}

/// What a monitor has in its run directory.
#[derive(Debug)]
pub(crate) struct Claim {
    run_dir: OwnedFd,
    lock: StateLock,
}

impl Claim {
    fn make(run_dir: OwnedFd) -> Result<Self> {
        let lock = StateLock::acquire(&run_dir).during("lock state")?;
        // Of a monitor that died.
        Condition::remove(&run_dir).during("lock state")?;
        Ok(Self { run_dir, lock })
    }

    fn listen(&self) -> Result<UnixListener> {
        let listener = kernel::socket::listen_at(&self.run_dir, SOCKET, 0o600).during("listen")?;
        listener.set_nonblocking(true).during("listen")?;
        Ok(listener)
    }

    /// Says what lives here.
    pub(crate) fn announce(&self, state: &State) -> Result<()> {
        self.lock.write(state).during("write state")
    }

    /// Says how it is.
    pub(crate) fn say(&self, condition: &Condition) -> Result<()> {
        condition.write(&self.run_dir).during("write condition")
    }

    /// Removes the socket, then the state: from now on there is no monitor.
    pub(crate) fn release(self) {
        // What stays is overwritten by the next monitor.
        let _stays = rustix::fs::unlinkat(&self.run_dir, SOCKET, AtFlags::empty());
        drop(Condition::remove(&self.run_dir));
        drop(self.lock.remove(&self.run_dir));
    }
}

/// Launches, and tells how that went. `None`: it failed, and everything is undone.
pub(crate) fn launch(given: Given, preparation: Preparation) -> Option<Monitor> {
    let Given {
        channel,
        launch,
        root,
        container_dir,
        run_dir,
    } = given;
    let result = Claim::make(run_dir).and_then(|claim| {
        failpoint!("monitor.launch.locked");
        let listener = match claim.listen() {
            Ok(listener) => listener,
            Err(error) => return Err(undo(claim, error)),
        };
        let given = (launch, root);
        match start(given, &container_dir, &claim, preparation) {
            Ok(started) => Ok(Monitor::new(started, container_dir, claim, listener)),
            Err(error) => Err(undo(claim, error)),
        }
    });
    let (monitor, said) = match result.and_then(Monitor::announce) {
        Ok(monitor) => {
            monitor.chronicle.record("start", &[]);
            let said = Ready::Started {
                pid: monitor.state.pid,
                started_at: monitor.state.started_at,
            };
            (Some(monitor), said)
        }
        Err(error) => (None, failed(&error)),
    };
    // Whoever launched may be gone; the container isn't its any more, then.
    drop(channel.answer(&said));
    failpoint!("monitor.launch.reported");
    monitor
}

fn undo(claim: Claim, cause: Error) -> Error {
    claim.release();
    cause
}

fn failed(error: &Error) -> Ready {
    Ready::Failed {
        stage: error.op().to_owned(),
        message: error.reason(),
        exit_code: error.exit_code(),
    }
}

const TERMINAL: OpenptFlags = OpenptFlags::RDWR
    .union(OpenptFlags::NOCTTY)
    .union(OpenptFlags::CLOEXEC);

/// What a launch made.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) container: crate::container::Container,
    pub(crate) state: State,
    pub(crate) orders: Orders,
    pub(crate) output: Output,
    pub(crate) sources: Vec<Source>,
    pub(crate) terminal_end: Option<OwnedFd>,
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) place: Place,
    pub(crate) network: Network,
    pub(crate) chronicle: Chronicle,
}

/// What the monitor holds of its container's network.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// The namespace, for as long as there is a monitor: a container that is restarted finds it as it was.
    _namespace: Option<OwnedFd>,
    pub(crate) resolver: Option<Resolver>,
}

impl Network {
    /// Whether the engine has told whom the container knows: then it is on networks.
    pub(crate) fn is_known(&self) -> bool {
        self.resolver.as_ref().is_some_and(Resolver::is_told)
    }

    fn take(given: GivenNetwork, claim: &Claim) -> Result<Self> {
        let take = |number| kernel::inherited::take(number).during("take network");
        if given == GivenNetwork::Nothing {
            return Ok(Self::default());
        }
        let namespace = take(numbers::NETWORK_FD)?;
        let resolver = if given == GivenNetwork::Names {
            let clone = |fd: &OwnedFd| fd.try_clone().during("answer names");
            Some(Resolver::new(
                take(numbers::NAMES_UDP_FD)?,
                take(numbers::NAMES_TCP_FD)?,
                Namespaces::new(clone(&namespace)?)?,
                clone(&claim.run_dir)?,
            )?)
        } else {
            None
        };
        Ok(Self {
            _namespace: Some(namespace),
            resolver,
        })
    }
}

fn start(
    (document, root): (OwnedFd, OwnedFd),
    container_dir: &OwnedFd,
    claim: &Claim,
    mut preparation: Preparation,
) -> Result<Started> {
    let mut launch = Launch::read(&document).during("read launch")?;
    // Before anything else is opened, so that no other descriptor has their numbers.
    let network = Network::take(launch.network, claim)?;
    let chronicle = chronicle(&mut launch)?;
    let output = Output::new(Writer::open(container_dir, launch.log).during("open log")?);
    let Run {
        container,
        started_at,
        sources,
        terminal_end,
        stdin,
        place,
    } = run(
        &mut launch,
        (document, root),
        &mut preparation,
        container_dir,
    )?;
    let state = State {
        v: State::VERSION,
        pid: container.pid,
        start_time: container.start_time,
        boot_id: boot_id().during("read boot id")?,
        started_at,
        tty: launch.tty,
        open_stdin: launch.open_stdin,
        monitor_pid: rustix::process::getpid().as_raw_nonzero().get(),
        condition: Condition::default(),
    };
    Ok(Started {
        container,
        state,
        orders: Orders::of(launch),
        output,
        sources,
        terminal_end,
        stdin,
        place,
        network,
        chronicle,
    })
}

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) container: crate::container::Container,
    pub(crate) started_at: protocol::Nanos,
    pub(crate) sources: Vec<Source>,
    pub(crate) terminal_end: Option<OwnedFd>,
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) place: Place,
}

/// Runs the program of `launch`, whose document is given, over a root. On an error nothing of it is left.
pub(crate) fn run(
    launch: &mut Launch,
    (document, root): (OwnedFd, OwnedFd),
    preparation: &mut Preparation,
    container_dir: &OwnedFd,
) -> Result<Run> {
    let layout = preparation.layout()?;
    let confinement = preparation.confinement(launch)?;
    let ours = Ours::make(launch).during("make pipes")?;
    let (stdio, mut sources, stdin) = (ours.stdio, ours.sources, ours.stdin);
    let mut made = Made::new(launch, document, root, (&layout, confinement), stdio)?;
    if launch.restart != Restart::No {
        made.keep_root();
    }
    failpoint!("monitor.launch.created");
    let started = Place::reserve(container_dir).and_then(|place| {
        let started_at = clock::now();
        Ok((place, started_at, made.start()?))
    });
    let (place, started_at, container) = started.inspect_err(|_| Place::forget(container_dir))?;
    failpoint!("monitor.launch.started");
    let mut terminal_end = None;
    if let Some(console) = &container.console {
        terminal_end = rustix::pty::ioctl_tiocgptpeer(console, TERMINAL).ok();
        // It can't fail: the descriptor is open. Reads that would block would stop everything.
        let _ready = rustix::io::ioctl_fionbio(console, true);
        if let Ok(fd) = console.try_clone() {
            sources.push(Source {
                fd,
                stream: Stream::Stdout,
            });
        }
    }
    Ok(Run {
        container,
        started_at,
        sources,
        terminal_end,
        stdin,
        place,
    })
}

/// Where events go, if the engine wants any.
fn chronicle(launch: &mut Launch) -> Result<Chronicle> {
    let named = launch.events.take();
    let log = match &named {
        Some(_) => {
            let dir = kernel::inherited::take(numbers::EVENTS_FD).during("take event directory")?;
            Some(EventLog::at(dir))
        }
        None => None,
    };
    Ok(Chronicle::new(launch.id, log, named))
}

/// The program's standard streams and our ends of them.
struct Ours {
    stdio: Stdio,
    sources: Vec<Source>,
    stdin: Option<OwnedFd>,
}

impl Ours {
    fn make(launch: &Launch) -> rustix::io::Result<Self> {
        if launch.tty {
            return Ok(Self {
                stdio: Stdio::Terminal {
                    rows: launch.rows,
                    columns: launch.cols,
                },
                sources: Vec::new(),
                stdin: None,
            });
        }
        let (input, stdin) = if launch.open_stdin {
            let (theirs, ours) = to_program()?;
            (theirs, Some(ours))
        } else {
            (null()?, None)
        };
        let (output, from_output) = from_program()?;
        let (error, from_error) = from_program()?;
        let source = |fd, stream| Source { fd, stream };
        Ok(Self {
            stdio: Stdio::Pipes {
                input,
                output,
                error,
            },
            sources: vec![
                source(from_output, Stream::Stdout),
                source(from_error, Stream::Stderr),
            ],
            stdin,
        })
    }
}

fn null() -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{CWD, OFlags, openat};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    openat(CWD, "/dev/null", flags, Mode::empty())
}
