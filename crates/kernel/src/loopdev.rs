//! Files as block devices, for kernels that don't mount files.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::error::At;
use crate::{Error, Result, raw};

/// How often another may take the free device before this gives up.
const MAX_RETRIES: u32 = 64;

/// Whether the device reads past the page cache of its file, so that nothing is cached twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectIo {
    /// If the file system below can.
    Try,
    /// No.
    No,
}

/// A read-only loop device. It is free again by itself when nobody has it open or mounted any more: no crash leaves one behind.
#[derive(Debug)]
pub struct LoopDevice {
    fd: OwnedFd,
    path: PathBuf,
}

impl LoopDevice {
    /// Makes a device of `file`.
    ///
    /// # Errors
    /// There are no loop devices here, or no right to them.
    pub fn attach(file: impl AsFd, direct: DirectIo) -> Result<Self> {
        const CONTROL: &str = "/dev/loop-control";
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let control = openat(CWD, CONTROL, flags, Mode::empty()).at("open", CONTROL)?;
        for _ in 0..MAX_RETRIES {
            let number = raw::device::free_loop(control.as_fd()).at("find", "free loop device")?;
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let fd = openat(CWD, &path, flags, Mode::empty()).at("open", path.display())?;
            match configure(fd.as_fd(), file.as_fd(), direct) {
                Ok(()) => return Ok(Self { fd, path }),
                // Somebody else took it.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::BUSY) => {}
                Err(error) => return Err(error).at("configure", path.display()),
            }
        }
        Err(Error::new("find", "free loop device", Errno::BUSY))
    }

    /// Its path, good for as long as this value lives or it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for LoopDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn configure(
    device: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    direct: DirectIo,
) -> std::io::Result<()> {
    if direct == DirectIo::Try {
        match raw::device::configure_loop(device, file, true) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {}
            other => return other,
        }
    }
    raw::device::configure_loop(device, file, false)
}
