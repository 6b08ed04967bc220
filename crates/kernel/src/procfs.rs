//! A procfs of our own. What is written below `/proc` decides about rights, and in a container `/proc` may be anything that its image or a mount over it
//! made of it (CVE-2019-16884, CVE-2025-52881).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, fstatfs, openat2};
use rustix::io::Errno;

use crate::error::At;
use crate::mount::{Attr, FsContext, Mount, Recursive};
use crate::{Error, Result};

/// PROC_SUPER_MAGIC.
const PROC: i64 = 0x9fa0;

/// No file of procfs that this reads is longer; a container can make its own long.
const MAX_FILE: u64 = 1024 * 1024;

/// What of procfs is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subset {
    /// Processes only (Linux 5.8; all on older kernels).
    Processes,
    /// All: sysctls too.
    All,
}

/// A detached procfs of the caller's pid namespace, with nothing mounted on it. To be opened for one use, and closed before anything of the container runs.
#[derive(Debug)]
pub struct ProcFs(OwnedFd);

impl ProcFs {
    /// Mounts a procfs nowhere. Without the right to that, it is a detached copy of `/proc` without the mounts on it.
    ///
    /// # Errors
    /// Neither works.
    pub fn open(subset: Subset) -> Result<Self> {
        let own = match (subset, mount(subset)) {
            // The option is of Linux 5.8.
            (Subset::Processes, Err(error)) if error.errno() == Errno::INVAL => mount(Subset::All),
            (_, other) => other,
        };
        let own = match own {
            Err(error) if matches!(error.errno(), Errno::PERM | Errno::NOSYS | Errno::ACCESS) => {
                Mount::clone_tree(rustix::fs::CWD, "/proc", Recursive::No)?
            }
            other => other?,
        };
        let fd = own.into_fd();
        check(&fd, "/proc")?;
        Ok(Self(fd))
    }

    /// Opens `path` (`self/attr/exec`, `sys/net/ipv4/ip_forward`). No magic link is followed and no mount is entered.
    ///
    /// # Errors
    /// It does not exist, or may not be opened.
    pub fn open_file(&self, path: &str, flags: OFlags) -> Result<File> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY;
        let fd = loop {
            match openat2(&self.0, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => break result.at("open in procfs", path)?,
            }
        };
        check(&fd, path)?;
        Ok(File::from(fd))
    }

    /// The content of the file at `path`.
    ///
    /// # Errors
    /// As [`ProcFs::open_file`]; more than a mebibyte (`EFBIG`).
    pub fn read(&self, path: &str) -> Result<String> {
        let mut text = String::new();
        let file = self.open_file(path, OFlags::RDONLY)?;
        file.take(MAX_FILE + 1)
            .read_to_string(&mut text)
            .at("read in procfs", path)?;
        if text.len() as u64 > MAX_FILE {
            return Err(Error::new("read in procfs", path, Errno::FBIG));
        }
        Ok(text)
    }

    /// Writes `value` to the file at `path`, in one write.
    ///
    /// # Errors
    /// As [`ProcFs::open_file`]; whatever the file says to the value.
    pub fn write(&self, path: &str, value: &str) -> Result<()> {
        let mut file = self.open_file(path, OFlags::WRONLY)?;
        let count = file.write(value.as_bytes()).at("write in procfs", path)?;
        if count == value.len() {
            Ok(())
        } else {
            Err(Error::new("write in procfs", path, Errno::IO))
        }
    }
}

impl AsFd for ProcFs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn mount(subset: Subset) -> Result<Mount> {
    let mut context = FsContext::new("proc")?;
    if subset == Subset::Processes {
        context = context.string("subset", "pid");
    }
    let attr = Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV | Attr::MOUNT_ATTR_NOEXEC;
    context.create()?.mount(attr)
}

fn check(fd: &OwnedFd, path: &str) -> Result<()> {
    let kind = fstatfs(fd).at("stat in procfs", path)?.f_type;
    if kind == PROC {
        Ok(())
    } else {
        Err(Error::invalid("open in procfs", path, "not of a procfs"))
    }
}
