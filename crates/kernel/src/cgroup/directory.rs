//! A group's directory in one hierarchy.

use std::fs::File;
use std::io::{ErrorKind, Read, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, mkdir, open, openat, unlinkat};
use rustix::io::Errno;

use super::layout::place;
use super::{CgroupPath, Controller, Hierarchy, Version};
use crate::error::At;
use crate::{Error, Pid, Result};

/// The controllers that are enabled where they can be, because statistics come from them.
const WANTED: [Controller; 5] = [
    Controller::Cpu,
    Controller::CpuSet,
    Controller::Io,
    Controller::Memory,
    Controller::Pids,
];

/// The directory of a group in one hierarchy.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) version: Version,
    pub(super) controllers: Vec<Controller>,
    pub(super) path: PathBuf,
    pub(super) dir: OwnedFd,
}

impl Place {
    /// The directory `path` of the same hierarchy.
    pub(super) fn at(&self, path: PathBuf) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let dir = open(&path, flags, Mode::empty()).at("open cgroup", path.display())?;
        Ok(Self {
            version: self.version,
            controllers: self.controllers.clone(),
            path,
            dir,
        })
    }

    pub(super) fn write(&self, file: &str, value: &str) -> Result<()> {
        let shown = || format!("{} to {}", value, self.path.join(file).display());
        let mut opened = self.open_for_writing(file)?;
        loop {
            // One write is one request.
            match opened.write(value.as_bytes()) {
                Ok(count) if count == value.len() => return Ok(()),
                Ok(_) => return Err(Error::new("write", shown(), Errno::IO)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).at("write", shown()),
            }
        }
    }

    pub(super) fn open_for_writing(&self, file: &str) -> Result<File> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = openat(&self.dir, file, flags, Mode::empty());
        Ok(File::from(fd.at("open", self.path.join(file).display())?))
    }

    pub(super) fn read(&self, file: &str) -> Result<Option<String>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let shown = || self.path.join(file).display().to_string();
        match openat(&self.dir, file, flags, Mode::empty()) {
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).at("read", shown()),
            Ok(fd) => {
                let mut text = String::new();
                File::from(fd)
                    .read_to_string(&mut text)
                    .at("read", shown())?;
                Ok(Some(text))
            }
        }
    }
}

/// Opens the directory of the group at `path`.
pub(super) fn open_place(hierarchy: &Hierarchy, path: &CgroupPath) -> Result<Place> {
    let dir = place(hierarchy, path.relative());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fd = open(&dir, flags, Mode::empty()).at("open cgroup", dir.display())?;
    Ok(Place {
        version: hierarchy.version,
        controllers: hierarchy.controllers.clone(),
        path: dir,
        dir: fd,
    })
}

/// Makes the directories of a group from the top down, with what each needs before it can be used. Gives whether the last one is new.
pub(super) fn make(
    hierarchy: &Hierarchy,
    path: &CgroupPath,
    required: &[Controller],
) -> Result<bool> {
    let mut parent = hierarchy.mount.clone();
    let mut new = false;
    for relative in path.ancestry() {
        if hierarchy.version == Version::V2 {
            enable(&parent, hierarchy, required)?;
        }
        let dir = place(hierarchy, relative);
        new = match mkdir(&dir, Mode::from_raw_mode(0o755)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error).at("create cgroup", dir.display()),
        };
        if hierarchy.controllers.contains(&Controller::CpuSet) && hierarchy.version == Version::V1 {
            inherit_cpuset(&parent, &dir)?;
        }
        parent = dir;
    }
    Ok(new)
}

/// A new version 1 cpuset is empty, and takes no process before it has processors and memory nodes.
fn inherit_cpuset(parent: &Path, dir: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = dir.join(file);
        let now = std::fs::read_to_string(&own).at("read", own.display())?;
        if now.trim().is_empty() {
            let above = parent.join(file);
            let value = std::fs::read_to_string(&above).at("read", above.display())?;
            write_file(&own, value.trim())?;
        }
    }
    Ok(())
}

/// Lets the group at `path` have `required`, from the hierarchy's root down.
pub(super) fn enable_all(
    hierarchy: &Hierarchy,
    path: &CgroupPath,
    required: &[Controller],
) -> Result<()> {
    let mut parent = hierarchy.mount.clone();
    for relative in path.ancestry() {
        enable(&parent, hierarchy, required)?;
        parent = place(hierarchy, relative);
    }
    Ok(())
}

/// Lets the children of `dir` have the controllers: those that limits need, and where it works those that statistics come from.
fn enable(dir: &Path, hierarchy: &Hierarchy, required: &[Controller]) -> Result<()> {
    let file = dir.join("cgroup.subtree_control");
    let enabled = std::fs::read_to_string(&file).at("read", file.display())?;
    for controller in &hierarchy.controllers {
        let name = controller.name(Version::V2);
        let needed = required.contains(controller);
        if !(needed || WANTED.contains(controller))
            || enabled.split_whitespace().any(|it| it == name)
        {
            continue;
        }
        let result = write_file(&file, &format!("+{name}"));
        if needed {
            result?;
        }
    }
    Ok(())
}

fn write_file(path: &Path, value: &str) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let shown = || format!("{value} to {}", path.display());
    let mut file = File::from(openat(CWD, path, flags, Mode::empty()).at("write", shown())?);
    file.write_all(value.as_bytes()).at("write", shown())
}

/// The directories below `dir`, not deeper.
fn children(dir: &Path) -> Result<Vec<PathBuf>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fd = match open(dir, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in Dir::new(fd)? {
        let entry = match entry {
            // The group was removed meanwhile.
            Err(Errno::NOENT | Errno::NODEV) => break,
            other => other?,
        };
        let name = entry.file_name();
        if entry.file_type() == FileType::Directory && !matches!(name.to_bytes(), b"." | b"..") {
            found.push(dir.join(name.to_string_lossy().as_ref()));
        }
    }
    Ok(found)
}

/// All groups from `dir` down, each after its parent.
fn groups_below(dir: &Path) -> Result<Vec<PathBuf>, Errno> {
    let mut all = vec![dir.to_owned()];
    let mut next = 0;
    while next < all.len() {
        let below = children(&all[next])?;
        all.extend(below);
        next += 1;
    }
    Ok(all)
}

/// The processes in the groups from `dir` down.
pub(super) fn pids_below(dir: &Path) -> Result<Vec<Pid>> {
    const OP: &str = "read processes of cgroup";
    let mut pids = Vec::new();
    for group in groups_below(dir).at(OP, dir.display())? {
        let file = group.join("cgroup.procs");
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                // A process outside our pid namespace is written as 0.
                let numbers = text.lines().filter_map(|line| line.parse().ok());
                pids.extend(numbers.filter_map(Pid::from_raw));
            }
            // Removed meanwhile. A threaded group has no list of processes; its parent has them.
            Err(error)
                if matches!(
                    Errno::from_io_error(&error),
                    Some(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP)
                ) => {}
            Err(error) => return Err(error).at(OP, dir.display()),
        }
    }
    Ok(pids)
}

/// Removes the groups from `dir` down. Those whose processes are just ending are waited for.
pub(super) fn remove_tree(dir: &Path, deadline: Instant) -> Result<(), Errno> {
    // Most have none below them.
    if let Ok(()) | Err(Errno::NOENT) = unlinkat(CWD, dir, AtFlags::REMOVEDIR) {
        return Ok(());
    }
    let mut pause = Duration::from_micros(500);
    loop {
        let mut result = Ok(());
        for group in groups_below(dir)?.iter().rev() {
            match unlinkat(CWD, group, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => result = Err(error),
            }
        }
        match result {
            Err(Errno::BUSY | Errno::NOTEMPTY) if Instant::now() < deadline => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}
