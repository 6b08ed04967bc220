//! A further program in a container that runs.
//!
//! The caller's child leaves everything of the host's behind, enters the container's namespaces and takes on the
//! program's identity; only its child, a sibling, is in the container's pid namespace and can be seen there. So what a
//! container may look into has neither the host's files nor more rights than the program (CVE-2016-9962).

use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use kernel::Pid;
use kernel::namespace;
use kernel::process::{self, PidFd, clone3, close_all_except, exit_now};
use kernel::root::RootDir;
use kernel::scheduling::Affinity;
use kernel::signal::SIGKILL;
use rustix::io::Errno;

use crate::channel::{self, Channel, News, Word};
use crate::config::{ExecConfig, Executed, Keyring, Running, Stdio};
use crate::console::{self, Console};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::filter::Confinement;
use crate::idmap;
use crate::launch;
use crate::place::Place;
use crate::plan::Program;
use crate::tuning::Shared;

/// Runs a program in a container, and returns when it does.
///
/// The calling process must have one thread; see [`crate::create`]. It is the parent of the new process and must reap it.
///
/// # Errors
/// The container has ended, or its program can't be executed; then nothing is left.
pub fn exec(running: &Running<'_>, config: &ExecConfig<'_>) -> Result<Executed> {
    let shared = Shared {
        domain: running.personality,
        memory_policy: running.memory_policy,
    };
    let program = Program::new(config.process, running.confinement.cloned(), shared)?;
    let place = Place::of(running.cgroup)?;
    let (ours, theirs) = channel::pair()?;
    process::forbid_tracing()?;
    let cloned = on_first_processors(&program, || clone3(0, place.directory()))?;
    let Some((_, child)) = cloned else {
        drop(ours);
        let Err(error) = guide(running, config, &program, &place, &theirs);
        theirs.send_failure(&error);
        exit_now(error.exit_code())
    };
    drop(theirs);
    failpoint::failpoint!("runtime.exec.after_clone");
    let heard = hear(running, &program, &ours);
    // It has said all it had to say, and ends by itself; after an error of ours it must.
    if heard.is_err() {
        drop(child.signal(SIGKILL));
    }
    drop(child.wait());
    heard
}

/// Runs `clone` on the processors that the new process is to begin on, before it is in the container's cgroup.
fn on_first_processors(
    program: &Program,
    clone: impl FnOnce() -> kernel::Result<Option<(Pid, PidFd)>>,
) -> Result<Option<(Pid, PidFd)>> {
    let Some(initial) = &program.tuning.processors().initial else {
        return Ok(clone()?);
    };
    let own = Affinity::current()?;
    initial.apply()?;
    let cloned = clone();
    if !matches!(cloned, Ok(None)) {
        own.apply()?;
    }
    Ok(cloned?)
}

/// What the caller does when the program's process is there, and waits.
fn attend(running: &Running<'_>, program: &Program, news: Attend<'_>) -> Result<()> {
    let Attend {
        pid,
        pidfd,
        listener,
    } = news;
    if let Some(number) = listener {
        let filter = program.identity.filter();
        let state = running.state.ok_or_else(|| {
            Error::invalid("tell a seccomp listener of", "a container without state")
        })?;
        if let Some(listener) = filter.and_then(Confinement::listener) {
            listener.tell(pidfd, number, pid.as_raw_nonzero().get(), state)?;
        }
        return Ok(());
    }
    program.tuning.give(pid)
}

struct Attend<'a> {
    pid: Pid,
    pidfd: &'a PidFd,
    listener: Option<i32>,
}

fn hear(running: &Running<'_>, program: &Program, channel: &Channel) -> Result<Executed> {
    let mut console = None;
    let mut executed = None;
    let mut failed = None;
    // Two processes speak, in any order, until both are silent.
    loop {
        match channel.receive_news()? {
            News::Ready(master) => console = master,
            News::Forked(pid, pidfd) => {
                let pidfd = PidFd::from_fd(pidfd);
                if program.tuning.is_given() {
                    let listener = None;
                    let attended = attend(
                        running,
                        program,
                        Attend {
                            pid,
                            pidfd: &pidfd,
                            listener,
                        },
                    );
                    answer(channel, attended, &pidfd, &mut failed)?;
                }
                executed = Some((pid, pidfd));
            }
            News::Listener(number) => {
                let Some((pid, pidfd)) = &executed else {
                    return Err(ended());
                };
                let listener = Some(number);
                let attended = attend(
                    running,
                    program,
                    Attend {
                        pid: *pid,
                        pidfd,
                        listener,
                    },
                );
                answer(channel, attended, pidfd, &mut failed)?;
            }
            News::Hooks | News::Unmapped => {}
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

/// Lets the waiting process go on, or ends it.
fn answer(
    channel: &Channel,
    attended: Result<()>,
    pidfd: &PidFd,
    failed: &mut Option<Error>,
) -> Result<()> {
    match attended {
        Ok(()) => channel.say(Word::Go),
        Err(error) => {
            pidfd.signal(SIGKILL)?;
            *failed = Some(error);
            Ok(())
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
    if running.namespaces.has_user() {
        program.identity.raise_limits(None);
    }
    place.enter(channel)?;
    namespace::setns(running.pidfd, &running.namespaces.kinds()).map_err(|e| match e.errno() {
        Errno::SRCH => ended(),
        _ => e.into(),
    })?;
    if running.namespaces.has_user() {
        idmap::become_root()?;
    }
    let uid = program.identity.uid();
    let console = match config.stdio {
        Stdio::Terminal { rows, columns } => {
            let root = RootDir::open("/")?;
            let (rows, columns) = program.size(rows, columns);
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
    if let Some(last) = &program.tuning.processors().last {
        last.apply()?;
    }
    let mut ready = launch::prepare(program, Keyring::Own)?;
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
            if program.tuning.is_given() {
                channel.wait_for(Word::Go)?;
            }
            ready.label(program)?;
            let confined = launch::be_listened_to(program, channel)?;
            launch::execute(program, &ready, confined, config.preserve_fds)
        }
    }
}
