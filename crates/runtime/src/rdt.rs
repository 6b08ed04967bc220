//! Classes of Intel's Resource Director: shares of caches and of memory bandwidth, through the file system `resctrl`.

use std::path::{Path, PathBuf};

use kernel::Pid;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdir, openat, unlinkat};
use rustix::io::Errno;
use spec::runtime::{IntelRdt, Spec};

use crate::error::{Error, Result};

/// A class, and a group of it that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    directory: PathBuf,
    /// Whether it is the container's alone.
    own: bool,
    schemata: Vec<String>,
    watched: Option<PathBuf>,
}

impl Class {
    /// That of `rdt` for the container `id`, on this host.
    pub(crate) fn new(rdt: &IntelRdt, id: &str) -> Result<Self> {
        let mounts = kernel::mountinfo::read()?;
        let root = mounts.into_iter().find(|m| m.fs_type == "resctrl");
        let root = root.ok_or_else(|| {
            Error::unsupported(
                "apply linux.intelRdt where no resctrl is mounted:",
                "this host has none, or it is not mounted",
            )
        })?;
        Self::below(&root.mount_point, rdt, id)
    }

    fn below(root: &Path, rdt: &IntelRdt, id: &str) -> Result<Self> {
        let plain = |name: &str| {
            !matches!(name, "" | "." | ".." | "info" | "mon_groups" | "mon_data")
                && !name.contains(['/', '\0', '\n'])
        };
        let own = rdt.clos_id.is_empty();
        let name = if own { id } else { &rdt.clos_id };
        let directory = match name {
            "/" => root.to_owned(),
            name if plain(name) => root.join(name),
            _ => {
                return Err(Error::invalid(
                    "use as a class of resctrl:",
                    name.escape_default().to_string(),
                ));
            }
        };
        let mut schemata = rdt.schemata.clone();
        for one in [&rdt.l3_cache_schema, &rdt.mem_bw_schema] {
            schemata.extend((!one.is_empty()).then(|| one.clone()));
        }
        if schemata.iter().any(|line| line.contains('\0')) {
            return Err(Error::invalid("read", "linux.intelRdt.schemata"));
        }
        let watched = rdt.enable_monitoring || rdt.enable_cmt || rdt.enable_mbm;
        if watched && !plain(id) {
            return Err(Error::invalid("use as a group of resctrl:", id));
        }
        Ok(Self {
            watched: watched.then(|| directory.join("mon_groups").join(id)),
            directory,
            own,
            schemata,
        })
    }

    /// Makes it, and puts the process `pid` into it.
    pub(crate) fn enter(&self, pid: Pid) -> Result<()> {
        match mkdir(&self.directory, Mode::from_raw_mode(0o755)) {
            Ok(()) if !self.own && self.schemata.is_empty() => {
                drop(remove(&self.directory));
                // The specification: without schemata the class must be there.
                return Err(Error::invalid(
                    "use a class of resctrl that doesn't exist:",
                    shown(&self.directory),
                ));
            }
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Error::io("make class", shown(&self.directory), error)),
        }
        for line in &self.schemata {
            write(
                &self.directory.join("schemata"),
                &format!("{}\n", line.trim_end()),
            )?;
        }
        let pid = pid.as_raw_nonzero().to_string();
        write(&self.directory.join("tasks"), &pid)?;
        if let Some(group) = &self.watched {
            match mkdir(group, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(Error::io("make group", shown(group), error)),
            }
            write(&group.join("tasks"), &pid)?;
        }
        Ok(())
    }

    /// Removes what is the container's alone.
    pub(crate) fn leave(&self) -> Result<()> {
        if let Some(group) = &self.watched {
            remove(group)?;
        }
        if self.own {
            remove(&self.directory)?;
        }
        Ok(())
    }
}

/// Removes the class of a container that is deleted, if its configuration had one.
///
/// # Errors
/// It can't be removed.
pub fn release_rdt(spec: &Spec, id: &str) -> Result<()> {
    match spec
        .linux
        .as_ref()
        .and_then(|linux| linux.intel_rdt.as_ref())
    {
        Some(rdt) => Class::new(rdt, id)?.leave(),
        None => Ok(()),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn remove(path: &Path) -> Result<()> {
    match unlinkat(CWD, path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(Error::io("remove", shown(path), error)),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let at = |error: Errno| {
        Error::io(
            "write",
            format!("{} to {}", text.trim_end(), path.display()),
            error,
        )
    };
    let file = openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).map_err(at)?;
    match rustix::io::write(&file, text.as_bytes()).map_err(at)? {
        count if count == text.len() => Ok(()),
        _ => Err(at(Errno::IO)),
    }
}

#[cfg(test)]
mod tests {
    use super::Class;
    use spec::runtime::IntelRdt;

    fn rdt(class: &str) -> IntelRdt {
        IntelRdt {
            clos_id: class.to_owned(),
            schemata: vec!["L3:0=f".to_owned()],
            mem_bw_schema: "MB:0=20".to_owned(),
            enable_monitoring: true,
            ..IntelRdt::default()
        }
    }

    #[test]
    fn classes_are_named_and_entered() {
        let root = tempfile::tempdir().unwrap();
        let class = Class::below(root.path(), &rdt(""), "one").unwrap();
        let directory = root.path().join("one");
        // The kernel makes these files with the directory.
        std::fs::create_dir_all(directory.join("mon_groups/one")).unwrap();
        for file in ["schemata", "tasks", "mon_groups/one/tasks"] {
            std::fs::File::create(directory.join(file)).unwrap();
        }
        let pid = rustix::process::Pid::from_raw(77).unwrap();
        class.enter(pid).unwrap();
        let read = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap();
        // Each line is a write of its own; a file of a disk is written from its start again.
        assert_eq!(read("schemata"), "MB:0=20\n");
        assert_eq!(
            (&*read("tasks"), &*read("mon_groups/one/tasks")),
            ("77", "77")
        );
    }

    #[test]
    fn a_class_that_must_be_there_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        let bare = IntelRdt {
            clos_id: "gold".to_owned(),
            ..IntelRdt::default()
        };
        let class = Class::below(root.path(), &bare, "one").unwrap();
        let pid = rustix::process::Pid::from_raw(77).unwrap();
        let error = class.enter(pid).unwrap_err().to_string();
        assert!(error.contains("doesn't exist"), "{error}");
        assert!(!root.path().join("gold").exists());
        for bad in ["..", "a/b", "info", "."] {
            assert!(
                Class::below(root.path(), &rdt(bad), "one").is_err(),
                "{bad}"
            );
        }
        assert!(Class::below(root.path(), &rdt("/"), "one").is_ok());
        // This host's own, if it has none.
        if !std::path::Path::new("/sys/fs/resctrl/schemata").exists() {
            let error = Class::new(&bare, "one").unwrap_err().to_string();
            assert!(error.contains("resctrl"), "{error}");
        }
    }
}
