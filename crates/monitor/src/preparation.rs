//! What a monitor does before it knows what it will run.

use std::os::fd::AsFd;

use kernel::cgroup::Layout;
use protocol::{GivenFilter, Launch};
use runtime::Confinement;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use spec::profile;

use crate::error::{During, Result};

/// What nearly every container needs, made while its order is not there yet.
#[derive(Debug, Default)]
pub(crate) struct Preparation {
    layout: Option<Layout>,
    usual: Option<Confinement>,
}

impl Preparation {
    /// Prepares as long as nothing has come on `channel`. What fails is done again when it is needed, and then it is told.
    pub(crate) fn until_ordered(channel: impl AsFd) -> Self {
        let mut made = Self::default();
        if !has_come(channel.as_fd()) {
            made.layout = Layout::probe().ok();
        }
        if !has_come(channel.as_fd()) {
            made.usual = usual(&profile::CAPABILITIES).ok();
        }
        made
    }

    /// How cgroups are mounted.
    pub(crate) fn layout(&mut self) -> Result<Layout> {
        match self.layout.take() {
            Some(layout) => Ok(layout),
            None => Layout::probe().during("find cgroups"),
        }
    }

    /// The filter of system calls of this container, and of all that is run in it.
    pub(crate) fn confinement(&mut self, launch: &Launch) -> Result<Option<Confinement>> {
        let compiled = match launch.filter {
            GivenFilter::Specified => {
                let linux = launch.spec.linux.as_ref();
                let filter = linux.and_then(|linux| linux.seccomp.as_ref());
                filter.map(Confinement::new).transpose()
            }
            GivenFilter::Usual => {
                let process = launch.spec.process.as_ref();
                let sets = process.and_then(|process| process.capabilities.as_ref());
                let held = sets.map_or(&[][..], |sets| &sets.bounding);
                match self.usual.take().filter(|_| held == profile::CAPABILITIES) {
                    Some(usual) => Ok(Some(usual)),
                    None => usual(held).map(Some),
                }
            }
        };
        compiled.during("compile filter of system calls")
    }
}

fn usual<S: AsRef<str>>(capabilities: &[S]) -> runtime::Result<Confinement> {
    Confinement::new(&profile::seccomp(capabilities))
}

/// Whether there is something to read.
fn has_come(channel: std::os::fd::BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(channel, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}
