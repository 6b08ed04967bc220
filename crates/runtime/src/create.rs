//! A container is made: the caller's side. The other one is in `init.rs`.

use std::os::fd::OwnedFd;

use kernel::Pid;
use kernel::cgroup::Cgroup;
use kernel::namespace;
use kernel::process::{self, PidFd};
use kernel::signal::SIGKILL;
use rustix::io::Errno;
use spec::runtime::{State, Status};

use crate::birth::Birth;
use crate::channel::{self, Channel, News, Word};
use crate::config::{Config, Created, Gate};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::filter::Confinement;
use crate::hook::{Turn, run_each, run_hooks};
use crate::idmap::IdMaps;
use crate::init;
use crate::netdev;
use crate::place;
use crate::plan::Plan;
use crate::rdt::Class;
use crate::sources::Sources;

/// Makes a container: its cgroup, and its first process, which waits before its program ([`Gate`]).
///
/// The calling process must have one thread, since it is copied; it becomes, and stays, one that can't be traced
/// (CVE-2016-9962). It is the parent of the first process and must reap it.
///
/// # Errors
/// The configuration is wrong, or the kernel refused; then nothing is left. That the program doesn't exist is told here
/// if it can be seen, else by [`Created::start`].
pub fn create(config: &Config<'_>) -> Result<Created> {
    let plan = Plan::new(config.spec, config.confinement)?;
    let linux = config.spec.linux.as_ref();
    let class = linux.and_then(|linux| linux.intel_rdt.as_ref());
    let class = class
        .map(|rdt| Class::new(rdt, config.about.id))
        .transpose()?;
    let mut making = place::Making::begin(config)?;
    failpoint::failpoint!("runtime.create.after_directory");
    let made = born(config, &plan, &mut making).and_then(|created| match &class {
        None => Ok(created),
        // It waits: all that it becomes is in its class.
        Some(class) => match class.enter(created.pid) {
            Ok(()) => Ok(created),
            Err(error) => {
                drop(created.pidfd.signal(SIGKILL));
                drop(created.pidfd.wait());
                Err(error)
            }
        },
    });
    match made {
        Ok(created) => Ok(created),
        Err(error) => {
            drop(class.map(|class| class.leave()));
            // The first error is what counts; a cgroup that stays is found by its name, and hooks that undo nothing are heard of by nobody.
            drop(making.undo());
            if let Some(hooks) = &config.spec.hooks {
                let state = config.about.state(config.spec, Status::Stopped, 0);
                drop(run_each(hooks, Turn::Poststop, &state));
            }
            Err(error)
        }
    }
}

fn born(config: &Config<'_>, plan: &Plan, making: &mut place::Making<'_>) -> Result<Created> {
    let (ours, theirs) = channel::pair()?;
    process::forbid_tracing()?;
    let sources = Sources::make(config, plan)?;
    let cloned = process::clone3(flags(plan), making.directory());
    let Some((pid, pidfd)) = cloned? else {
        drop(ours);
        let place = making.place();
        init::main(
            &init::Made {
                config,
                plan,
                place,
                sources,
            },
            theirs,
        )
    };
    drop((theirs, sources));
    failpoint::failpoint!("runtime.create.after_clone");
    let mut first = First { pid, pidfd };
    match raise(config, plan, making, &mut first, &ours) {
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
    /// Gives its user namespace its maps, and what its root may not give itself.
    fn map(&self, plan: &Plan, maps: &IdMaps, channel: &Channel) -> Result<()> {
        if plan.namespaces.birth == Birth::Early {
            // It tells when it has left the namespaces whose rights it needed.
            match channel.receive_news()? {
                News::Unmapped => {}
                News::Failed(error) => return Err(error),
                _ => return Err(ended()),
            }
        }
        maps.write(self.pid)?;
        if plan.namespaces.birth == Birth::Direct {
            plan.program.identity.adjust_oom_of(self.pid)?;
            plan.program.identity.raise_limits(Some(self.pid));
        }
        channel.say(Word::Go)
    }

    /// It was a guide, and has ended; this is what it led in.
    fn replace(&mut self, pid: Pid, pidfd: PidFd) {
        let guide = std::mem::replace(self, Self { pid, pidfd });
        drop(guide.pidfd.wait());
    }

    fn state(&self, config: &Config<'_>) -> State {
        let pid = self.pid.as_raw_nonzero().get();
        config.about.state(config.spec, Status::Creating, pid)
    }

    /// The hooks that run in the caller's namespaces.
    fn run_outside(&self, config: &Config<'_>) -> Result<()> {
        let Some(hooks) = &config.spec.hooks else {
            return Ok(());
        };
        let state = self.state(config);
        run_hooks(hooks, Turn::Prestart, &state)?;
        run_hooks(hooks, Turn::CreateRuntime, &state)
    }

    /// Gives the listener for its system calls their descriptor.
    fn introduce(&self, config: &Config<'_>, plan: &Plan, number: i32) -> Result<()> {
        let filter = plan.program.identity.filter();
        let Some(listener) = filter.and_then(Confinement::listener) else {
            return Ok(());
        };
        let pid = self.pid.as_raw_nonzero().get();
        listener.tell(&self.pidfd, number, pid, &self.state(config))
    }

    /// Ends and reaps it: it may still be where it waits for us.
    fn end(&self) {
        drop(self.pidfd.signal(SIGKILL));
        drop(self.pidfd.wait());
    }
}

/// Gives the first process what it needs from outside, and waits until it has made everything.
fn raise(
    config: &Config<'_>,
    plan: &Plan,
    making: &mut place::Making<'_>,
    first: &mut First,
    channel: &Channel,
) -> Result<(Option<OwnedFd>, Cgroup)> {
    if let Some(maps) = &plan.maps {
        first.map(plan, maps, channel)?;
    }
    if plan.namespaces.birth == Birth::Early {
        match channel.receive_news()? {
            News::Forked(pid, pidfd) => first.replace(pid, PidFd::from_fd(pidfd)),
            News::Failed(error) => return Err(error),
            _ => return Err(ended()),
        }
    }
    netdev::apply(&plan.devices, &plan.namespaces, first.pid)?;
    // Meanwhile the child makes mounts.
    let cgroup = match making.finish(first.pid, channel) {
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
    let console = loop {
        match channel.receive_news()? {
            News::Ready(console) => break console,
            News::Hooks => {
                first.run_outside(config)?;
                channel.say(Word::Go)?;
            }
            News::Listener(number) => {
                first.introduce(config, plan, number)?;
                channel.say(Word::Go)?;
            }
            News::Forked(pid, pidfd) => first.replace(pid, PidFd::from_fd(pidfd)),
            News::Failed(error) => return Err(error),
            News::Closed | News::Unmapped => {
                return Err(ended());
            }
        }
    };
    // It waits: nothing that it becomes can be without this.
    if plan.program.tuning.is_given() {
        plan.program.tuning.give(first.pid)?;
    }
    Ok((console, cgroup))
}

/// The namespaces that the child of the caller is born into: none where it is a guide.
fn flags(plan: &Plan) -> u64 {
    match plan.namespaces.birth {
        Birth::Direct | Birth::Late => namespace::clone_flags(&plan.namespaces.made),
        Birth::Early => 0,
    }
}

fn ended() -> Error {
    Error::new(
        ErrorKind::NotRunning,
        "make container:",
        "its first process ended early",
    )
}
