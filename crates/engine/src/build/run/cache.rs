//! `--mount=type=cache`: directories that stay from build to build. Each is locked by its file as long as a step has it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use builder::graph::RunMount;
use dockerfile::instruction::mount::{MountKind as Asked, Sharing as Shared};
use kernel::lock::{Flock, Sharing, Wait};
use kernel::mount::{Mount, Recursive};
use kernel::root::RootDir;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use serde::{Deserialize, Serialize};
use spec::Digest;
use store::{Bounds, EntryKind, Walk};

use crate::build::Build;
use crate::error::{Error, Result};
use crate::open::{Inner, make_dir};

/// How long a lock is waited for before it is asked whether the build goes on.
const TURN: Duration = Duration::from_millis(200);

/// A cache that a step has.
#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    _lock: Flock,
}

/// What is known of a cache beside its files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct About {
    /// Its id, as the user knows it.
    pub(crate) id: String,
    /// Unix nanoseconds.
    pub(crate) created_at: i64,
}

/// Where caches are.
pub(crate) fn directory(inner: &Inner) -> PathBuf {
    inner.config.paths.root.join("caches")
}

/// Removes all caches that no step has now; gives their ids and how many bytes their files had.
pub(crate) fn prune(inner: &Inner) -> Result<(Vec<String>, u64)> {
    let base = directory(inner);
    let failed = |e: std::io::Error| Error::internal(format!("prune {}", base.display()), e);
    if !base.exists() {
        return Ok((Vec::new(), 0));
    }
    let here = readable(&base)?;
    let (mut gone, mut bytes) = (Vec::new(), 0);
    for entry in std::fs::read_dir(&base).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let place = base.join(&name);
        // One without its lock is one that was being made or removed when somebody was killed.
        if let Ok(file) = File::open(place.join("lock"))
            && Flock::acquire(file, Sharing::Exclusive, Wait::No)?.is_none()
        {
            continue;
        }
        bytes += size(&place)?;
        kernel::tree::remove(&here, &name)?;
        gone.push(name.to_string_lossy().into_owned());
    }
    Ok((gone, bytes))
}

fn size(place: &Path) -> Result<u64> {
    let mut bytes = 0;
    let mut walk = Walk::merged(readable(place)?, b"", Bounds::OneMount)?;
    while let Some(walked) = walk.next_entry()? {
        bytes += walked.entry.size;
    }
    Ok(bytes)
}

/// Opens a cache, made if it is new. `from` is what a new one begins with.
pub(super) fn open(build: &Build<'_>, asked: &RunMount, from: Option<&Path>) -> Result<Cache> {
    let Asked::Cache {
        id,
        sharing,
        mode,
        uid,
        gid,
        ..
    } = &asked.mount.kind
    else {
        return Err(Error::invalid("not a cache"));
    };
    let id = id.clone().unwrap_or_else(|| asked.mount.target.clone());
    let scope = build.request.plan.build_args.get("BUILDKIT_CACHE_MOUNT_NS");
    let name = Digest::of(format!("{}/{id}", scope.map_or("", String::as_str))).hex();
    let base = directory(&build.engine.0);
    let mut number = 0;
    let (place, lock) = loop {
        let place = if number == 0 {
            base.join(&name)
        } else {
            base.join(format!("{name}.{number}"))
        };
        make_dir(&place)?;
        match lock(build, &place, *sharing)? {
            Some(lock) => break (place, lock),
            // Somebody has it: this step gets another.
            None => number += 1,
        }
    };
    let cache = Cache {
        directory: place,
        _lock: lock,
    };
    if !cache.directory.join("about").exists() {
        let owner = (uid.unwrap_or(0), gid.unwrap_or(0));
        cache.begin(from, owner, mode.unwrap_or(0o755))?;
        let about = About {
            id,
            created_at: build.engine.0.nanos(),
        };
        let text = serde_json::to_vec(&about).map_err(|e| Error::internal("write cache", e))?;
        crate::truth::write_small(&cache.directory.join("about"), &text, 0o600)?;
    }
    Ok(cache)
}

/// Locks a cache; none if it is another's and this step needs not that one. The lock's time is when the cache was used last.
fn lock(build: &Build<'_>, place: &Path, sharing: Shared) -> Result<Option<Flock>> {
    let failed = |e: std::io::Error| Error::internal(format!("lock {}", place.display()), e);
    let kind = match sharing {
        // A new one is made by one alone.
        Shared::Shared if place.join("about").exists() => Sharing::Shared,
        Shared::Shared | Shared::Private | Shared::Locked => Sharing::Exclusive,
    };
    loop {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(place.join("lock"))
            .map_err(failed)?;
        let now = Duration::from_nanos(build.engine.0.nanos().unsigned_abs());
        file.set_modified(UNIX_EPOCH + now).map_err(failed)?;
        let wait = match sharing {
            Shared::Private => Wait::No,
            Shared::Shared | Shared::Locked => Wait::Until(Instant::now() + TURN),
        };
        match Flock::acquire(file, kind, wait) {
            Ok(lock) => return Ok(lock),
            Err(e) if e.errno() == rustix::io::Errno::TIMEDOUT => build.voice.check()?,
            Err(e) => return Err(e.into()),
        }
    }
}

impl Cache {
    /// The cache, or a directory in it, which is made if it is not there, as a mount that is attached nowhere.
    pub(super) fn mount(&self, inside: &str) -> Result<Mount> {
        let root = RootDir::open(self.directory.join("data"))?;
        let fd = match inside.trim_matches('/') {
            "" => root.into_fd(),
            inside => root.create_dir_all(inside, 0o755)?,
        };
        Ok(Mount::clone_tree(&fd, "", Recursive::No)?)
    }

    fn begin(&self, from: Option<&Path>, owner: (u32, u32), mode: u32) -> Result<()> {
        let data = self.directory.join("data");
        // What a killed build began is begun again.
        let here = RootDir::open(&self.directory)?.into_fd();
        kernel::tree::remove(&here, "data")?;
        make_dir(&data)?;
        let root = readable(&data)?;
        if let Some(from) = from {
            fill(&RootDir::open(&data)?, from)?;
        }
        let failed = |e: rustix::io::Errno| Error::internal("make cache", std::io::Error::from(e));
        let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
        rustix::fs::fchown(&root, Some(uid), Some(gid)).map_err(failed)?;
        rustix::fs::fchmod(&root, Mode::from_raw_mode(mode)).map_err(failed)
    }
}

fn readable(path: &Path) -> Result<OwnedFd> {
    rustix::fs::openat(
        rustix::fs::CWD,
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|e| Error::internal("open cache", std::io::Error::from(e)))
}

/// Copies a tree into a new directory that nobody else has yet.
fn fill(root: &RootDir, from: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::internal("fill cache", e);
    let mut walk = Walk::merged(readable(from)?, b"", Bounds::OneMount)?;
    while let Some(walked) = walk.next_entry()? {
        let entry = walked.entry;
        let path = Path::new(OsStr::from_bytes(&entry.path));
        match &entry.kind {
            EntryKind::Directory => drop(root.create_dir_all(path, 0o755)?),
            EntryKind::Symlink(to) => root.create_link(path, OsStr::from_bytes(to))?,
            EntryKind::File => {
                let mut file = root.create_file(path, 0o600)?;
                if let Some(mut data) = walked.file {
                    std::io::copy(&mut data, &mut file).map_err(failed)?;
                }
            }
            // A cache has no use for the rest, and each name of a file is one of its own.
            EntryKind::HardLink(first) => {
                let first = Path::new(OsStr::from_bytes(first));
                let mut data = root.open_read(first)?;
                let mut file = root.create_file(path, 0o600)?;
                std::io::copy(&mut data, &mut file).map_err(failed)?;
            }
            EntryKind::Character(..) | EntryKind::Block(..) | EntryKind::Fifo => continue,
        }
        if matches!(entry.kind, EntryKind::Symlink(_)) {
            continue;
        }
        let fd = root.open_path_nofollow(path)?;
        let fd = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
        let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
        rustix::fs::chown(fd.as_str(), Some(uid), Some(gid)).map_err(|e| failed(e.into()))?;
        rustix::fs::chmod(fd.as_str(), Mode::from_raw_mode(entry.mode.into()))
            .map_err(|e| failed(e.into()))?;
    }
    Ok(())
}
