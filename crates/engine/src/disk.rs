//! Directory trees that belong to containers: nothing in them is reached by a path.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};

const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Deeper trees are not counted further.
const DEPTH: usize = 256;

/// The bytes of all files in a directory; 0 if there is none. Links are not followed; a hard link counts each time.
pub(crate) fn usage(path: &Path) -> Result<u64> {
    match rustix::fs::openat(CWD, path, OPEN, Mode::empty()) {
        Ok(directory) => Ok(tree(&directory, 0)),
        Err(Errno::NOENT) => Ok(0),
        Err(e) => Err(Error::internal(
            format!("read {}", path.display()),
            std::io::Error::from(e),
        )),
    }
}

/// What can't be read is being removed by the container.
fn tree(directory: &OwnedFd, depth: usize) -> u64 {
    let Ok(mut entries) = Dir::read_from(directory) else {
        return 0;
    };
    let mut sum = 0;
    while let Some(Ok(entry)) = entries.read() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            sum += u64::try_from(stat.st_size).unwrap_or(0);
        } else if depth < DEPTH
            && let Ok(inside) = rustix::fs::openat(directory.as_fd(), name, OPEN, Mode::empty())
        {
            sum += tree(&inside, depth + 1);
        }
    }
    sum
}

/// Whether a directory has nothing in it.
pub(crate) fn is_empty(directory: &OwnedFd) -> Result<bool> {
    let failed = |e: Errno| Error::internal("read directory", std::io::Error::from(e));
    let mut entries = Dir::read_from(directory).map_err(failed)?;
    while let Some(entry) = entries.read() {
        let entry = entry.map_err(failed)?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}
