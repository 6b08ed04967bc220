//! A container is made: the caller's side. The other one is in `init.rs`.

use std::os::fd::{AsFd, OwnedFd};

use kernel::Pid;
use kernel::cgroup::Cgroup;
use kernel::namespace::{self, Kind};
use kernel::process::{self, PidFd};
use kernel::signal::SIGKILL;
use rustix::io::Errno;

use crate::channel::{self, Channel, News};
use crate::config::{Config, Created, Gate};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::init;
use crate::place;
use crate::plan::Plan;

/// Makes a container: its cgroup, and its first process, which waits before its program ([`Gate`]).
///
/// The calling process must have one thread, since it is copied; it becomes, and stays, one that can't be traced
/// (CVE-2016-9962). It is the parent of the first process and must reap it.
///
/// # Errors
/// The configuration is wrong, or the kernel refused; then nothing is left. That the program doesn't exist is told here
/// if it can be seen, else by [`Created::start`].
pub fn create(config: &Config<'_>) -> Result<Created> {
    let plan = Plan::new(config.spec)?;
    let mut making = place::Making::begin(config)?;
    failpoint::failpoint!("runtime.create.after_directory");
    match born(config, &plan, &mut making) {
        Ok(created) => Ok(created),
        Err(error) => {
            // The first error is what counts; a cgroup that stays is found by its name.
            drop(making.undo());
            Err(error)
        }
    }
}

fn born(config: &Config<'_>, plan: &Plan, making: &mut place::Making<'_>) -> Result<Created> {
    let (ours, theirs) = channel::pair()?;
    process::forbid_tracing()?;
    let flags = namespace::clone_flags(&plan.namespaces.made);
    let joined = plan
        .namespaces
        .pid
        .as_ref()
        .map(PidNamespace::enter)
        .transpose()?;
    let cloned = process::clone3(flags, making.directory());
    let Some((pid, pidfd)) = cloned? else {
        drop(ours);
        init::main(config, plan, &making.place(), theirs)
    };
    drop(theirs);
    if let Some(own) = joined {
        own.leave()?;
    }
    failpoint::failpoint!("runtime.create.after_clone");
    let first = First { pid, pidfd };
    match raise(making, &ours) {
        Ok((console, cgroup)) => Ok(Created {
            pid: first.pid,
            start_time: process::start_time(first.pid)?,
            pidfd: first.pidfd,
            console,
            cgroup,
            channel: match config.gate {
                Gate::Held => Some(ours),
                Gate::Socket(_) => None,
            },
        }),
        Err(error) => {
            first.end();
            Err(error)
        }
    }
}

struct First {
    pid: Pid,
    pidfd: PidFd,
}

impl First {
    /// Ends and reaps it: it may still be where it waits for us.
    fn end(&self) {
        drop(self.pidfd.signal(SIGKILL));
        drop(self.pidfd.wait());
    }
}

/// Gives the first process what it needs from outside, and waits until it has made everything.
fn raise(making: &mut place::Making<'_>, channel: &Channel) -> Result<(Option<OwnedFd>, Cgroup)> {
    // Meanwhile the child makes mounts.
    let cgroup = match making.finish(channel) {
        Ok(cgroup) => cgroup,
        Err(error) if error.errno() == Some(Errno::PIPE.raw_os_error()) => {
            // It has ended already; it said why.
            return Err(match channel.receive_news()? {
                News::Failed(reason) => reason,
                _ => error,
            });
        }
        Err(error) => return Err(error),
    };
    failpoint::failpoint!("runtime.create.after_group");
    match channel.receive_news()? {
        News::Ready(console) => Ok((console, cgroup)),
        News::Failed(error) => Err(error),
        News::Closed | News::Forked(..) => Err(Error::new(
            ErrorKind::NotRunning,
            "make container:",
            "its first process ended early",
        )),
    }
}

/// The pid namespace that the caller's next child begins in, for a moment.
struct PidNamespace {
    own: OwnedFd,
}

impl PidNamespace {
    fn enter(other: &OwnedFd) -> Result<Self> {
        let own = namespace::open(None, Kind::Pid)?;
        namespace::setns_one(other, Kind::Pid)?;
        Ok(Self { own })
    }

    fn leave(self) -> Result<()> {
        namespace::setns_one(self.own.as_fd(), Kind::Pid)?;
        Ok(())
    }
}
