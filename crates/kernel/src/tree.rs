//! Removal of a directory tree that may be hostile, and deep, and partly gone already.

use std::collections::VecDeque;
use std::ffi::{CStr, CString, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, openat2, renameat, unlinkat,
};
use rustix::io::Errno;

use crate::error::At;
use crate::{Error, Result, atomic, random};

/// Deeper directories are moved up first, so that no tree costs more descriptors than this.
const MAX_DEPTH: usize = 64;

/// How often one directory is read again because something was put into it meanwhile.
const MAX_ROUNDS: u32 = 64;

/// Removes `name` from the directory `dir`, with everything below. What does not exist is already removed.
///
/// No link is followed and no mount is entered.
///
/// # Errors
/// `name` is not a plain name, something in it is mounted on (`EXDEV` or `EBUSY`), or a removal was refused; the rest may then be removed
/// already.
pub fn remove(dir: impl AsFd, name: impl AsRef<OsStr>) -> Result<()> {
    const OP: &str = "remove";
    let (dir, name) = (dir.as_fd(), name.as_ref());
    let shown = Path::new(name).display();
    if !atomic::is_plain_name(name) {
        return Err(Error::invalid(OP, shown, "not a plain file name"));
    }
    let name = CString::new(name.as_bytes()).at(OP, &shown)?;
    // Nearly always a directory: ask for it first.
    match open(dir, &name) {
        Ok(top) => {
            Removal {
                top,
                frames: Vec::new(),
            }
            .run()
            .at(OP, &shown)?;
            absent(unlinkat(dir, &name, AtFlags::REMOVEDIR)).at(OP, &shown)
        }
        Err(Errno::NOTDIR | Errno::LOOP) => {
            absent(unlinkat(dir, &name, AtFlags::empty())).at(OP, &shown)
        }
        Err(error) => absent(Err(error)).at(OP, &shown),
    }
}

struct Removal {
    top: OwnedFd,
    frames: Vec<Frame>,
}

/// A directory being emptied, below the top.
struct Frame {
    name: CString,
    fd: OwnedFd,
    directories: VecDeque<CString>,
    rounds: u32,
}

impl Removal {
    /// Empties the top directory.
    fn run(mut self) -> Result<(), Errno> {
        for _ in 0..MAX_ROUNDS {
            let mut directories = unlink_files(self.top.as_fd())?;
            if directories.is_empty() {
                return Ok(());
            }
            while let Some(name) = directories.pop_front() {
                self.enter(name)?;
                while !self.frames.is_empty() {
                    self.step(&mut directories)?;
                }
            }
        }
        Err(Errno::NOTEMPTY)
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.frames
            .last()
            .map_or(self.top.as_fd(), |frame| frame.fd.as_fd())
    }

    fn enter(&mut self, name: CString) -> Result<(), Errno> {
        let fd = match open(self.here(), &name) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(()),
            // Exchanged for something else since it was listed.
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return absent(unlinkat(self.here(), &name, AtFlags::empty()));
            }
            Err(error) => return Err(error),
        };
        let directories = unlink_files(fd.as_fd())?;
        self.frames.push(Frame {
            name,
            fd,
            directories,
            rounds: 0,
        });
        Ok(())
    }

    /// Goes one directory down, or removes the emptied one and goes up.
    fn step(&mut self, top: &mut VecDeque<CString>) -> Result<(), Errno> {
        let deep = self.frames.len() >= MAX_DEPTH;
        let Some(frame) = self.frames.last_mut() else {
            return Ok(());
        };
        if let Some(name) = frame.directories.pop_front() {
            if !deep {
                return self.enter(name);
            }
            let higher = random::hex::<16>().map_err(|error| error.errno())?;
            let higher = CString::new(format!(".tare-rm-{higher}")).map_err(|_| Errno::INVAL)?;
            absent(renameat(&frame.fd, &name, &self.top, &higher))?;
            top.push_back(higher);
            return Ok(());
        }
        let Some(mut frame) = self.frames.pop() else {
            return Ok(());
        };
        match unlinkat(self.here(), &frame.name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY) if frame.rounds < MAX_ROUNDS => {
                frame.directories = unlink_files(frame.fd.as_fd())?;
                frame.rounds += 1;
                self.frames.push(frame);
                Ok(())
            }
            result => absent(result),
        }
    }
}

/// Removes what is no directory from `dir`, and names the directories.
fn unlink_files(dir: BorrowedFd<'_>) -> Result<VecDeque<CString>, Errno> {
    rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(0))?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 16 * 1024];
    let mut entries = RawDir::new(dir, &mut buffer);
    let mut directories = VecDeque::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if entry.file_type() == FileType::Directory {
            directories.push_back(name.to_owned());
            continue;
        }
        match unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => directories.push_back(name.to_owned()),
            Err(error) => return Err(error),
        }
    }
    Ok(directories)
}

/// A directory of the same mount, by its own name.
fn open(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    loop {
        match openat2(dir, name, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

fn absent(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
