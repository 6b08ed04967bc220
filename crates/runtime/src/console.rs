//! Standard input and output of a program: its terminal, or what it was given.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use kernel::mount::{Mount, Recursive};
use kernel::root::RootDir;
use rustix::fs::{FileType, Mode, OFlags, Uid, fchown, fstat, fstatfs, mknodat, openat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::config::Stdio;
use crate::error::{Error, Result};

/// DEVPTS_SUPER_MAGIC of linux/magic.h.
const DEVPTS: rustix::fs::FsWord = 0x1cd1;

/// A terminal in the container's devpts.
#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) master: OwnedFd,
    slave: OwnedFd,
}

impl Console {
    /// Opens one in the devpts of `root`, and by no name: what is mounted there may be anybody's (CVE-2025-52565).
    pub(crate) fn open(root: &RootDir, rows: u16, columns: u16) -> Result<Self> {
        let at = |error: Errno| Error::io("open", "terminal", error);
        let pts = root.open_dir("/dev/pts")?;
        let magic = fstatfs(&pts).map_err(at)?.f_type;
        if magic != DEVPTS {
            return Err(Error::invalid(
                "open terminal where no devpts is mounted:",
                "/dev/pts",
            ));
        }
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let master = openat(&pts, "ptmx", flags, Mode::empty()).map_err(at)?;
        unlockpt(&master).map_err(at)?;
        let slave = ioctl_tiocgptpeer(
            &master,
            OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC,
        )
        .map_err(at)?;
        if (rows, columns) != (0, 0) {
            let size = Winsize {
                ws_row: rows,
                ws_col: columns,
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            tcsetwinsize(&slave, size).map_err(at)?;
        }
        Ok(Self { master, slave })
    }

    /// Puts the terminal on `/dev/console`, from its descriptor to a file of ours.
    pub(crate) fn bind(&self, root: &RootDir) -> Result<()> {
        let at = |error: Errno| Error::io("make", "/dev/console", error);
        let dev = root.open_dir("/dev")?;
        match mknodat(
            &dev,
            "console",
            FileType::RegularFile,
            Mode::from_raw_mode(0o620),
            0,
        ) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(at(error)),
        }
        let file = openat(
            &dev,
            "console",
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(at)?;
        if matches!(
            file_type(file.as_fd()).map_err(at)?,
            FileType::Symlink | FileType::Directory
        ) {
            return Err(Error::invalid(
                "bind terminal to what is no file:",
                "/dev/console",
            ));
        }
        Mount::clone_tree(&self.slave, "", Recursive::No)?.attach(&file, "")?;
        Ok(())
    }

    pub(crate) fn fds(&self) -> [RawFd; 2] {
        [self.master.as_raw_fd(), self.slave.as_raw_fd()]
    }

    /// Makes it the user's.
    pub(crate) fn give(&self, uid: u32) -> Result<()> {
        if uid == 0 {
            Ok(())
        } else {
            give(self.slave.as_fd(), uid)
        }
    }

    /// Makes it the controlling terminal of this process, which leads its session, and its standard input and output.
    pub(crate) fn become_stdio(&self) -> Result<()> {
        rustix::process::ioctl_tiocsctty(&self.slave).map_err(Error::at("control", "terminal"))?;
        let slave = self.slave.as_fd();
        dup([slave, slave, slave])
    }
}

/// Makes `stdio` the standard input and output of this process.
pub(crate) fn adopt(stdio: &Stdio, uid: u32) -> Result<()> {
    match stdio {
        Stdio::Pipes {
            input,
            output,
            error,
        } => dup([input.as_fd(), output.as_fd(), error.as_fd()])?,
        Stdio::Inherited | Stdio::Terminal { .. } => {}
    }
    if uid == 0 {
        return Ok(());
    }
    // A program may open its own pipes again, by /dev/stdout. Devices and files of the host's keep their owner.
    for fd in [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ] {
        if file_type(fd).is_ok_and(|t| t == FileType::Fifo) {
            give(fd, uid)?;
        }
    }
    Ok(())
}

fn give(fd: BorrowedFd<'_>, uid: u32) -> Result<()> {
    match fchown(fd, Some(Uid::from_raw(uid)), None) {
        // A file system that can't, or a user namespace without this owner.
        Ok(()) | Err(Errno::PERM | Errno::INVAL | Errno::ROFS | Errno::NOSYS) => Ok(()),
        Err(error) => Err(Error::io("give", "standard input and output", error)),
    }
}

fn file_type(fd: BorrowedFd<'_>) -> rustix::io::Result<FileType> {
    Ok(FileType::from_raw_mode(fstat(fd)?.st_mode))
}

fn dup(fds: [BorrowedFd<'_>; 3]) -> Result<()> {
    let at = |error: Errno| Error::io("set", "standard input and output", error);
    // They may be among 0 to 2 themselves, in another order.
    let [input, output, error] = fds.map(|fd| fcntl_dupfd_cloexec(fd, 3));
    dup2_stdin(input.map_err(at)?).map_err(at)?;
    dup2_stdout(output.map_err(at)?).map_err(at)?;
    dup2_stderr(error.map_err(at)?).map_err(at)
}
