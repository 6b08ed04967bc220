//! A file is replaced whole or not at all: temporary file, fsync, rename, fsync of the directory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, fsync, openat, renameat, unlinkat};

use crate::error::At;
use crate::{Error, Result, random};

/// How the names of temporary files begin; what a crash left is recognised by it.
pub const TEMPORARY_PREFIX: &str = ".tare-tmp-";

/// Makes `name` in `dir` a file of `bytes` with exactly `mode`, durable when this returns.
///
/// Readers see the old content or the new. A symbolic link of that name is replaced, not followed.
///
/// # Errors
/// `name` is not a plain file name, or a step failed; the old file is then untouched and the temporary one removed.
pub fn replace(dir: impl AsFd, name: impl AsRef<OsStr>, bytes: &[u8], mode: u32) -> Result<()> {
    const OP: &str = "replace";
    let (dir, name) = (dir.as_fd(), name.as_ref());
    let shown = Path::new(name).display();
    if !is_plain_name(name) {
        return Err(Error::invalid(OP, shown, "not a plain file name"));
    }
    let temporary = format!("{TEMPORARY_PREFIX}{}", random::hex::<8>()?);
    let written = write(dir, &temporary, bytes, mode)
        .and_then(|()| Ok(renameat(dir, &temporary, dir, name)?));
    if let Err(error) = written {
        // The cause is what the caller must see; the next sweep finds the prefix.
        let _ = unlinkat(dir, &temporary, AtFlags::empty());
        return Err(error).at(OP, shown);
    }
    sync_directory(dir).at(OP, shown)
}

fn write(dir: BorrowedFd<'_>, name: &str, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(bytes)?;
    // After the umask.
    fchmod(&file, Mode::from_raw_mode(mode))?;
    fsync(&file)?;
    Ok(())
}

/// fsync(2) of a directory that may be an `O_PATH` descriptor.
pub(crate) fn sync_directory(dir: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fsync(openat(dir, c".", flags, Mode::empty())?)
}

/// Whether `name` names something in a directory itself.
pub(crate) fn is_plain_name(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    !matches!(bytes, b"" | b"." | b"..") && !bytes.contains(&b'/') && !bytes.contains(&0)
}

#[cfg(test)]
mod tests;
