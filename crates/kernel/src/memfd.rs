//! Sealed memory files: immutable bytes that travel as a descriptor, never as an argument or a path.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};
use rustix::io::{Errno, pread};

use crate::error::At;
use crate::{Error, Result};

/// A memory file holding `bytes`, which nobody can change any more. `name` shows in `/proc/*/fd` only.
///
/// # Errors
/// memfd_create(2) or the write failed.
pub fn sealed(name: &str, bytes: &[u8]) -> Result<File> {
    let mut file = File::from(create(name)?);
    file.write_all(bytes).at("write memory file", name)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals).at("seal memory file", name)?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).at("seek in memory file", name)?;
    Ok(file)
}

fn create(name: &str) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // MFD_NOEXEC_SEAL is of Linux 6.3.
        Err(Errno::INVAL) => memfd_create(name, flags),
        other => other,
    }
    .at("create memory file", name)
}

/// The whole content of a file made by [`sealed`], whatever its position.
///
/// # Errors
/// It is not sealed against writing, longer than `max`, or can't be read.
pub fn read(file: impl AsFd, max: usize) -> Result<Vec<u8>> {
    const OP: &str = "read memory file";
    let seals = fcntl_get_seals(&file).at(OP, "seals")?;
    if !seals.contains(SealFlags::WRITE | SealFlags::SHRINK) {
        return Err(Error::invalid(OP, "seals", "not sealed"));
    }
    let size = fstat(&file).at(OP, "size")?.st_size;
    let size = usize::try_from(size).ok().filter(|size| *size <= max);
    let size =
        size.ok_or_else(|| Error::new(OP, format!("of more than {max} bytes"), Errno::FBIG))?;
    let mut bytes = vec![0; size];
    let mut done = 0;
    while done < size {
        match pread(&file, &mut bytes[done..], done as u64) {
            Ok(0) => return Err(Error::new(OP, "to its end", Errno::NODATA)),
            Ok(got) => done += got,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error).at(OP, "content"),
        }
    }
    Ok(bytes)
}
