//! The exit record's place on the disk.

use std::os::fd::OwnedFd;

use protocol::ExitRecord;
use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{During, Result};

/// What becomes [`ExitRecord::FILE`]. The prefix is that of all temporary files of this project, for whoever sweeps.
const TEMPORARY: &str = ".tare-tmp-exit";
/// More than a record has.
const ROOM: u64 = 4096;

/// Whether a record must survive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// It must, before anybody is told.
    Yes,
    /// It need not: the container is removed right after, and would be by the next boot's sweep.
    No,
}

/// Room for the record, taken when the container starts: its own output may fill the disk, and how it ended must be known
/// all the same.
#[derive(Debug)]
pub(crate) struct Place {
    file: OwnedFd,
}

impl Place {
    /// Takes the room, and forgets the record of an earlier run: it would be taken for this one's if this monitor were killed.
    pub(crate) fn reserve(container_dir: &OwnedFd) -> Result<Self> {
        let op = "reserve exit record";
        match rustix::fs::unlinkat(container_dir, ExitRecord::FILE, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(e).during(op),
        }
        Self::renew(container_dir)
    }

    /// Takes the room for another record, beside the one that there may be.
    pub(crate) fn renew(container_dir: &OwnedFd) -> Result<Self> {
        let op = "reserve exit record";
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(container_dir, TEMPORARY, flags, mode).during(op)?;
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, ROOM) {
            // A file system that can't: the record takes its chance.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Self { file }),
            Err(e) => {
                Self::forget(container_dir);
                Err(e).during(op)
            }
        }
    }

    /// Gives the room back: nothing runs.
    pub(crate) fn forget(container_dir: &OwnedFd) {
        let _stays = rustix::fs::unlinkat(container_dir, TEMPORARY, AtFlags::empty());
    }

    /// Writes the record: all of it or nothing.
    pub(crate) fn fill(self, dir: &OwnedFd, record: &ExitRecord, lasting: Lasting) -> Result<()> {
        let op = "write exit record";
        let bytes = record.to_json().during(op)?;
        let put = || {
            match rustix::io::pwrite(&self.file, &bytes, 0)? {
                n if n == bytes.len() => {}
                _ => return Err(Errno::NOSPC),
            }
            rustix::fs::ftruncate(&self.file, bytes.len() as u64)?;
            if lasting == Lasting::Yes {
                rustix::fs::fsync(&self.file)?;
            }
            rustix::fs::renameat(dir, TEMPORARY, dir, ExitRecord::FILE)?;
            match lasting {
                Lasting::Yes => rustix::fs::fsync(dir),
                Lasting::No => Ok(()),
            }
        };
        put().inspect_err(|_| Self::forget(dir)).during(op)
    }
}
