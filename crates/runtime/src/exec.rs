//! A further program in a container that runs.
//!
//! The caller's child leaves everything of the host's behind, enters the container's namespaces and takes on the
//! program's identity; only its child, a sibling, is in the container's pid namespace and can be seen there. So what a
//! container may look into has neither the host's files nor more rights than the program (CVE-2016-9962).

use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use kernel::namespace;
use kernel::process::{self, PidFd, clone3, close_all_except, exit_now};
use kernel::root::RootDir;
use kernel::signal::SIGKILL;
use rustix::io::Errno;

use crate::channel::{self, Channel, News};
use crate::config::{ExecConfig, Executed, Keyring, Running, Stdio};
use crate::console::{self, Console};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::launch;
use crate::place::Place;
use crate::plan::Program;

/// Runs a program in a container, and returns when it does.
///
/// The calling process must have one thread; see [`crate::create`]. It is the parent of the new process and must reap it.
///
/// # Errors
/// The container has ended, or its program can't be executed; then nothing is left.
pub fn exec(running: &Running<'_>, config: &ExecConfig<'_>) -> Result<Executed> {
    let program = Program::new(config.process, running.seccomp)?;
    let place = Place::of(running.cgroup)?;
    let (ours, theirs) = channel::pair()?;
    process::forbid_tracing()?;
    let Some((_, child)) = clone3(0, place.directory())? else {
        drop(ours);
        let Err(error) = guide(running, config, &program, &place, &theirs);
        theirs.send_failure(&error);
        exit_now(error.exit_code())
    };
    drop(theirs);
    failpoint::failpoint!("runtime.exec.after_clone");
    let heard = hear(&ours);
    // It has said all it had to say, and ends by itself; after an error of ours it must.
    if heard.is_err() {
        drop(child.signal(SIGKILL));
    }
    drop(child.wait());
    heard
}

fn hear(channel: &Channel) -> Result<Executed> {
    let mut console = None;
    let mut executed = None;
    let mut failed = None;
    // Two processes speak, in any order, until both are silent.
    loop {
        match channel.receive_news()? {
            News::Ready(master) => console = master,
            News::Forked(pid, pidfd) => executed = Some((pid, PidFd::from_fd(pidfd))),
            News::Failed(error) => failed = failed.or(Some(error)),
            News::Closed => break,
        }
    }
    match (executed, failed) {
        (Some((pid, pidfd)), None) => Ok(Executed {
            pid,
            pidfd,
            console,
        }),
        (executed, failed) => {
            if let Some((_, pidfd)) = executed {
                drop(pidfd.wait());
            }
            Err(failed.unwrap_or_else(ended))
        }
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::NotRunning, "run in container", "that has ended")
}

/// The child of the caller.
fn guide(
    running: &Running<'_>,
    config: &ExecConfig<'_>,
    program: &Program,
    place: &Place<'_>,
    channel: &Channel,
) -> Result<Infallible> {
    kernel::signal::reset()?;
    rustix::process::umask(rustix::fs::Mode::empty());
    let mut kept: Vec<RawFd> = vec![channel.as_fd().as_raw_fd(), running.pidfd.as_raw_fd()];
    kept.extend(config.stdio.fds().iter().map(AsRawFd::as_raw_fd));
    kept.extend(place.fds());
    kept.extend(launch::preserved(config.preserve_fds));
    close_all_except(&kept)?;
    program.identity.adjust_oom()?;
    place.enter(channel)?;
    namespace::setns(running.pidfd, &running.namespaces.kinds()).map_err(|e| match e.errno() {
        Errno::SRCH => ended(),
        _ => e.into(),
    })?;
    let uid = program.identity.uid();
    let console = match config.stdio {
        Stdio::Terminal { rows, columns } => {
            let root = RootDir::open("/")?;
            Some(Console::open(&root, rows, columns)?)
        }
        Stdio::Pipes { .. } | Stdio::Inherited => {
            console::adopt(&config.stdio, uid)?;
            None
        }
    };
    if let Some(console) = &console {
        console.give(uid)?;
        channel.send_ready(Some(console.master.as_fd()))?;
    }
    // What is seen in the container has no more open than its program will have.
    kept.retain(|fd| !place.fds().contains(fd) && *fd != running.pidfd.as_raw_fd());
    kept.extend(console.iter().flat_map(Console::fds));
    close_all_except(&kept)?;
    // The container's own keyring isn't to be had from outside; a new one at least isn't the caller's.
    let path = launch::prepare(program, Keyring::Own)?;
    match clone3(process::SIBLING, None).map_err(|e| match e.errno() {
        // The container's first process has ended: nobody is born in its pid namespace any more.
        Errno::NOMEM => ended(),
        _ => e.into(),
    })? {
        Some((pid, pidfd)) => {
            channel.send_forked(pid, pidfd.as_fd())?;
            exit_now(0)
        }
        None => {
            rustix::process::setsid().map_err(Error::at("lead", "session"))?;
            if let Some(console) = console {
                console.become_stdio()?;
            }
            launch::die_with_caller(config.bond, channel)?;
            launch::execute(program, &path, config.preserve_fds)
        }
    }
}
