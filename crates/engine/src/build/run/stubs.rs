//! What was made only to mount something on: it is no part of the layer.

use std::collections::BTreeSet;
use std::path::Path;

use kernel::root::RootDir;
use rustix::fs::{AtFlags, FileType, unlinkat};
use spec::{ContainerId, profile};

use crate::build::source::Tree;
use crate::error::Result;
use crate::open::Inner;

/// Paths that were not there before the step, without a slash at the front.
#[derive(Debug)]
pub(super) struct Stubs(BTreeSet<String>);

impl Stubs {
    /// Those on which something will be mounted: each path, and each directory on the way to it.
    pub(super) fn before(base: &Tree, targets: &[String]) -> Result<Self> {
        let mounts = profile::mounts();
        let usual = mounts.iter().map(|mount| mount.destination.as_str());
        let files = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];
        let own = targets.iter().map(String::as_str);
        let mut missing = BTreeSet::new();
        for target in usual.chain(files).chain(own) {
            let mut path = String::new();
            for part in target.split('/').filter(|part| !part.is_empty()) {
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(part);
                if base.kind(&path)?.is_none() {
                    missing.insert(path.clone());
                }
            }
        }
        Ok(Self(missing))
    }

    /// Takes those away that are still as they were made: empty.
    pub(super) fn clear(&self, inner: &Inner, id: &ContainerId) -> Result<()> {
        let upper = inner.container_dir(id).join("upper");
        let root = RootDir::open(upper)?;
        // What is in a directory comes before the directory.
        for path in self.0.iter().rev() {
            let path = Path::new(path);
            let Ok(stat) = root.stat_nofollow(path) else {
                continue;
            };
            let flags = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => AtFlags::REMOVEDIR,
                FileType::RegularFile if stat.st_size == 0 => AtFlags::empty(),
                _ => continue,
            };
            let (directory, name) = root.parent(path)?;
            // A directory with something in it stays: the command put that there.
            let _kept = unlinkat(&directory, name, flags);
        }
        Ok(())
    }
}
