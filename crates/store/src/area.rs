//! A place in memory where one container is shown what is not its own: secrets, scripts, parts of other file systems.
//!
//! It is attached below `<run>/layers`, from which nothing spreads, so that older kernels can clone what is mounted there. It goes
//! with its owner, or, if he is killed, with whoever undoes what he did.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use kernel::mount::{Attr, FsContext, Mount};
use rustix::fs::{Gid, Mode, OFlags, Uid, fchown, mkdirat, openat};
use spec::ContainerId;

use crate::draft::open_directory;
use crate::error::{Error, Result};
use crate::store::Store;

/// How their names begin: a sweep leaves them to the journal.
pub(crate) const PREFIX: &str = "step-";

/// Who owns a file, and its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The mode.
    pub mode: u32,
}

/// A place in memory. Dropping it takes it away.
#[derive(Debug)]
pub struct Area {
    store: Store,
    id: ContainerId,
    path: PathBuf,
}

impl Store {
    /// Makes the area of a container.
    ///
    /// # Errors
    /// It can't be mounted.
    pub fn area(&self, id: &ContainerId) -> Result<Area> {
        const OP: &str = "make area of";
        let path = self.area_path(id);
        self.private_base()?;
        self.make_directory(&path)?;
        let area = Area {
            store: self.clone(),
            id: *id,
            path,
        };
        let mount = || {
            let attr = Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV;
            FsContext::new("tmpfs")?
                .string("mode", "700")
                .create()?
                .mount(attr)
        };
        let mount = mount().map_err(|e| Error::kernel(OP, id, e))?;
        let base = open_directory(&self.run().join("layers"))?;
        mount
            .attach(&base, name(id))
            .map_err(|e| Error::kernel(OP, id, e))?;
        failpoint::failpoint!("store.area.attached");
        Ok(area)
    }

    /// Takes away the area of a container, if it has one.
    ///
    /// # Errors
    /// It can't be unmounted.
    pub fn clear_area(&self, id: &ContainerId) -> Result<()> {
        self.unmount(&self.area_path(id))
    }

    fn area_path(&self, id: &ContainerId) -> PathBuf {
        self.run().join("layers").join(name(id))
    }
}

fn name(id: &ContainerId) -> String {
    let id = id.to_string();
    format!("{PREFIX}{}", id.get(..16).unwrap_or(&id))
}

impl Area {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new file.
    ///
    /// # Errors
    /// There is one of this name, or memory is short.
    pub fn file(&self, name: &str, bytes: &[u8], owner: Ownership) -> Result<PathBuf> {
        let path = self.path.join(name);
        let failed = |e| Error::io("write", path.display(), e);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = openat(
            open_directory(&self.path)?,
            name,
            flags,
            Mode::RUSR | Mode::WUSR,
        )
        .map_err(|e| failed(e.into()))?;
        let mut file = File::from(fd);
        file.write_all(bytes).map_err(failed)?;
        own(&file, owner).map_err(|e| failed(e.into()))?;
        Ok(path)
    }

    /// A new directory.
    ///
    /// # Errors
    /// There is one of this name.
    pub fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        mkdirat(open_directory(&self.path)?, name, Mode::RWXU)
            .map_err(|e| Error::io("make directory", path.display(), e.into()))?;
        Ok(path)
    }

    /// Attaches a mount whose root is a directory or a file.
    ///
    /// # Errors
    /// It can't be attached.
    pub fn attach(&self, name: &str, mount: &Mount) -> Result<PathBuf> {
        let path = self.path.join(name);
        let failed = |e: rustix::io::Errno| Error::io("attach", path.display(), e.into());
        let stat = rustix::fs::fstat(mount).map_err(failed)?;
        let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
        if kind == rustix::fs::FileType::Directory {
            self.directory(name)?;
        } else {
            let owner = Ownership {
                uid: 0,
                gid: 0,
                mode: 0o600,
            };
            self.file(name, b"", owner)?;
        }
        let here = open_directory(&self.path)?;
        mount
            .attach(&here, name)
            .map_err(|e| Error::kernel("attach", path.display(), e))?;
        Ok(path)
    }
}

fn own(file: &File, owner: Ownership) -> rustix::io::Result<()> {
    fchown(
        file,
        Some(Uid::from_raw(owner.uid)),
        Some(Gid::from_raw(owner.gid)),
    )?;
    rustix::fs::fchmod(file, Mode::from_raw_mode(owner.mode))
}

impl Drop for Area {
    fn drop(&mut self) {
        // What stays is taken away by whoever finds the step in the journal.
        drop(self.store.clear_area(&self.id));
    }
}
