//! Monitors: each is started before it is told what to run, one of them even before that is known.
//!
//! A command that will surely run a container has its monitor started in a thread while it still opens the database and makes the
//! container: starting a process costs about a millisecond.

use std::path::Path;
use std::sync::Mutex;
use std::thread::JoinHandle;

use kernel::mount::{Attr, Mount, Propagation, Recursive};
use kernel::process::{Child, Executable, Spawn};
use protocol::launch::{CHANNEL_FD, Launcher};
use rustix::fs::OFlags;
use spec::ContainerId;

use crate::error::{Error, Kind, Result};
use crate::launch;
use crate::open::{Inner, lock};

/// A monitor that waits for its order.
#[derive(Debug)]
pub(crate) struct Monitor {
    pub(crate) child: Child,
    pub(crate) launcher: Launcher,
}

/// A monitor for the next container that is made, and the id that the container will have.
#[derive(Debug)]
struct Spare {
    id: ContainerId,
    starting: JoinHandle<Result<Monitor>>,
}

/// The place for one.
#[derive(Debug, Default)]
pub(crate) struct Place {
    spare: Mutex<Option<Spare>>,
    next: Mutex<Option<ContainerId>>,
}

impl Place {
    /// Starts a monitor for a container to come. If it can't be, the container's start says so.
    pub(crate) fn fill(&self, binary: &Path) -> Result<()> {
        let id = random()?;
        let binary = binary.to_owned();
        let starting = std::thread::Builder::new()
            .name("spare".to_owned())
            .spawn(move || start(&binary, &id))
            .map_err(|e| Error::internal("start a thread", e))?;
        *lock(&self.spare) = Some(Spare { id, starting });
        *lock(&self.next) = Some(id);
        Ok(())
    }

    /// The id of the next container: the spare's, once.
    pub(crate) fn next_id(&self) -> Result<ContainerId> {
        lock(&self.next).take().map_or_else(random, Ok)
    }

    /// The monitor of this container, if there is one already.
    fn take(&self, id: &ContainerId) -> Option<Monitor> {
        let spare = lock(&self.spare).take_if(|spare| spare.id == *id)?;
        spare.starting.join().ok()?.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(spare) = lock(&self.spare).take() else {
            return;
        };
        if let Ok(Ok(Monitor { child, launcher })) = spare.starting.join() {
            // Not needed: it ends when it hears that.
            drop(launcher);
            drop(child.wait());
        }
    }
}

fn random() -> Result<ContainerId> {
    Ok(ContainerId::from_bytes(kernel::random::bytes()?))
}

/// The monitor of a container: the spare one, or a new one.
pub(crate) fn monitor(inner: &Inner, id: &ContainerId) -> Result<Monitor> {
    match inner.spare.take(id) {
        Some(monitor) => Ok(monitor),
        None => start(&inner.config.binaries.monitor, id),
    }
}

fn start(binary: &Path, id: &ContainerId) -> Result<Monitor> {
    let (launcher, theirs) = Launcher::pair()?;
    let mut spawn =
        Spawn::new(program(binary)?, ["tare-monitor", &id.to_string()]).fd(theirs, CHANNEL_FD);
    for (name, value) in launch::steering() {
        spawn = spawn.env(name, value);
    }
    // Out of the caller's session: a terminal's signals are not for it.
    spawn.setsid = true;
    let child = spawn.start().map_err(|e| {
        Error::from(e).hint(format!("is {} there and executable?", binary.display()))
    })?;
    Ok(Monitor { child, launcher })
}

/// The monitor's program, by a descriptor of a read-only mount of its own: a container never sees the file itself
/// (CVE-2019-5736).
///
/// The running program holds the mount. Ours is closed while the monitor works, because closing it waits for the kernel's
/// RCU, 0.1 ms and more: at a command's end that would be waited for.
fn program(binary: &Path) -> Result<Executable> {
    let file = launch::open(binary, OFlags::PATH)?;
    let mount = Mount::clone_tree(&file, "", Recursive::No)?;
    mount.set_attr(
        Attr::MOUNT_ATTR_RDONLY,
        Attr::empty(),
        Some(Propagation::Private),
        Recursive::No,
    )?;
    Ok(Executable::Fd(mount.into_fd()))
}

/// What is said of a monitor that is not there any more.
pub(crate) fn died(why: protocol::Error) -> Error {
    Error::new(
        Kind::Internal,
        "failed to create task for container: its monitor died",
    )
    .because(why)
}
