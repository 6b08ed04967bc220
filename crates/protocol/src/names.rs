//! Whom a container's programs know by name: what the engine writes and the monitor answers from.
//!
//! Two kinds of it. The file [`FILE`] in the container's run directory says in which networks it is, who else is to be asked and what is
//! special about it; the engine replaces it by rename. The names of a network are a directory, one for all its containers: each name
//! is an entry, so that joining costs the same in a network of one and of ten thousand, a look-up is one system call, and no monitor holds a
//! table. An entry is a symbolic link whose text is the data (it fits the inode), or a file when there are more owners than a link
//! can name.

mod directory;
mod entry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

pub use directory::Directory;
pub use entry::Owner;

use crate::error::{Error, Kind, Result};
use crate::exit::read_limited;

/// The name of the file with a [`Scope`] for each network of the container.
pub const FILE: &str = "names";
/// The address in the container's network namespace at which names are asked for.
pub const ADDRESS: std::net::Ipv4Addr = std::net::Ipv4Addr::new(127, 0, 0, 11);

/// What one container's resolver goes by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// The format's version.
    pub v: u32,
    /// Its networks, the one with the way out first.
    pub scopes: Vec<Scope>,
    /// Who is asked about everything else, in this order. Nobody: nothing leaves.
    #[serde(default)]
    pub servers: Vec<Server>,
    /// Names of its own, in lower case.
    #[serde(default)]
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
}

/// One network, as one container sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The network's name: `web.backend` is `web` in `backend`.
    pub network: String,
    /// The directory of its names, relative to the container's run directory.
    pub directory: String,
    /// Names that only this container knows, in lower case, and what they are called in the network (`--link`).
    #[serde(default)]
    pub links: BTreeMap<String, String>,
}

/// A server that is asked about what isn't known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it is asked from within the container's network: then what the network can't reach isn't asked.
    #[serde(default)]
    pub inside: bool,
}

/// Tells whether a file was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    seconds: i64,
    nanos: u64,
}

impl Resolution {
    /// The format's version that this code writes.
    pub const VERSION: u32 = 1;
    const MAX: usize = 1024 * 1024;

    /// Replaces the container's file.
    ///
    /// # Errors
    /// A step of writing it failed.
    pub fn write(&self, run_dir: impl AsFd) -> Result<()> {
        let bytes = serde_json::to_vec(self).map_err(|e| Error::malformed("encode", FILE, e))?;
        directory::replace(run_dir.as_fd(), FILE, &bytes)
    }

    /// Reads the container's file.
    ///
    /// # Errors
    /// It isn't there, can't be read, or is of another version.
    pub fn read(run_dir: impl AsFd) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file: OwnedFd =
            openat(run_dir, FILE, flags, Mode::empty()).map_err(|e| Error::io("open", FILE, e))?;
        let bytes = read_limited(&file, FILE, Self::MAX)?;
        let read: Self =
            serde_json::from_slice(&bytes).map_err(|e| Error::malformed("read", FILE, e))?;
        if read.v != Self::VERSION {
            let subject = format!("{FILE} of version {}", read.v);
            return Err(Error::new(Kind::Version, "read", subject));
        }
        Ok(read)
    }

    /// What tells one writing of the container's file from the next; none if there is no file.
    ///
    /// # Errors
    /// It can't be looked at.
    pub fn stamp(run_dir: impl AsFd) -> Result<Option<Stamp>> {
        match statat(run_dir, FILE, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Stamp {
                inode: stat.st_ino,
                seconds: stat.st_mtime,
                nanos: stat.st_mtime_nsec,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(Error::io("stat", FILE, e)),
        }
    }
}
