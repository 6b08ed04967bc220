//! A group in all hierarchies.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, unlinkat};
use rustix::io::Errno;

use super::directory::{Place, make, open_place, pids_below, remove_tree};
use super::plan::{Need, Write};
use super::{CgroupPath, Controller, Layout, Plan, Version, device};
use crate::{Error, Pid, PidFd, Result};

/// How long a group may take to become empty and free: its last processes are ending, which the kernel does in its own time.
const PATIENCE: Duration = Duration::from_secs(5);

/// A group: one directory in each hierarchy.
#[derive(Debug)]
pub struct Cgroup {
    path: CgroupPath,
    places: Vec<Place>,
}

impl Cgroup {
    /// Makes the group where it does not exist, and applies `plan` to it. What was made is removed again if that fails.
    ///
    /// # Errors
    /// A directory can't be made, a controller not enabled, or a limit not set.
    pub fn create(layout: &Layout, path: &CgroupPath, plan: &Plan) -> Result<Self> {
        let mut group = Self {
            path: path.clone(),
            places: Vec::new(),
        };
        let mut new = Vec::new();
        let made = layout.hierarchies.iter().try_for_each(|hierarchy| {
            let fresh = make(hierarchy, path, &plan.controllers)?;
            let place = open_place(hierarchy, path);
            if fresh {
                new.push(super::layout::place(hierarchy, path.relative()));
            }
            group.places.push(place?);
            Ok(())
        });
        if let Err(error) = made.and_then(|()| group.apply(plan)) {
            // The cause is what the caller must see.
            for dir in new {
                let _ = unlinkat(CWD, dir, AtFlags::REMOVEDIR);
            }
            return Err(error);
        }
        Ok(group)
    }

    /// The group where it exists. `None` if it does in no hierarchy.
    ///
    /// # Errors
    /// A directory can't be opened.
    pub fn open(layout: &Layout, path: &CgroupPath) -> Result<Option<Self>> {
        let mut places = Vec::new();
        for hierarchy in &layout.hierarchies {
            match open_place(hierarchy, path) {
                Ok(found) => places.push(found),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok((!places.is_empty()).then(|| Self {
            path: path.clone(),
            places,
        }))
    }

    /// The same group, but the group `below` it in the hierarchies of `controllers`; in all of them if none are named.
    ///
    /// # Errors
    /// `below` is not a path of plain names, a controller has no hierarchy, or there is no such group.
    pub fn below(&self, controllers: &[Controller], below: &CgroupPath) -> Result<Self> {
        for controller in controllers {
            if !self
                .places
                .iter()
                .any(|p| p.controllers.contains(controller))
            {
                return Err(self.lacks(*controller));
            }
        }
        let places = self.places.iter().map(|place| {
            let meant =
                controllers.is_empty() || place.controllers.iter().any(|c| controllers.contains(c));
            let path = match meant {
                true => place.path.join(below.relative()),
                false => place.path.clone(),
            };
            place.at(path)
        });
        Ok(Self {
            path: self.path.clone(),
            places: places.collect::<Result<_>>()?,
        })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &CgroupPath {
        &self.path
    }

    /// Applies `plan`: all files in order, the devices last.
    ///
    /// # Errors
    /// The first limit that could not be set. Those before it stay.
    pub fn apply(&self, plan: &Plan) -> Result<()> {
        let mut after = Vec::new();
        for write in &plan.writes {
            match self.set(write) {
                // Memory must not be above memory and swap, nor a burst above its quota, neither before nor after: when both are lowered or raised
                // the order matters.
                Err(error) if error.errno() == Errno::INVAL && ORDERED.contains(&&*write.file) => {
                    after.push(write);
                }
                other => other?,
            }
        }
        for write in after {
            self.set(write)?;
        }
        if let Some(rules) = &plan.device_program {
            let unified = self
                .places
                .iter()
                .find(|place| place.version == Version::V2);
            let unified = unified.ok_or_else(|| self.lacks(Controller::Devices))?;
            device::attach(unified.dir.as_fd(), rules)?;
        }
        Ok(())
    }

    fn set(&self, write: &Write) -> Result<()> {
        let place = self
            .place_of(write.controller)
            .ok_or_else(|| self.lacks(write.controller))?;
        match place.write(&write.file, &write.value) {
            Err(error) if error.is_not_found() && write.need == Need::MayLack => Ok(()),
            result => result,
        }
    }

    fn lacks(&self, controller: Controller) -> Error {
        let why = format!("the group has no {controller} controller");
        Error::unsupported("set limit of cgroup", &self.path, why)
    }

    pub(super) fn place_of(&self, controller: Controller) -> Option<&Place> {
        let own = self
            .places
            .iter()
            .find(|place| place.controllers.contains(&controller));
        own.or_else(|| {
            let always = matches!(controller, Controller::CpuAcct | Controller::Freezer);
            self.places
                .iter()
                .find(|place| always && place.version == Version::V2)
        })
    }

    /// The content of a file of the group in the hierarchy of `controller`; `None` if there is none.
    ///
    /// # Errors
    /// It can't be read.
    pub fn read(&self, controller: Controller, file: &str) -> Result<Option<String>> {
        match self.place_of(controller) {
            Some(place) => place.read(file),
            None => Ok(None),
        }
    }

    /// The version in which the group has `controller`.
    #[must_use]
    pub fn version_of(&self, controller: Controller) -> Option<Version> {
        self.place_of(controller).map(|place| place.version)
    }

    /// Moves the process `pid` into the group, in every hierarchy.
    ///
    /// # Errors
    /// It does not exist, or may not be moved.
    pub fn add_process(&self, pid: Pid) -> Result<()> {
        let pid = pid.as_raw_nonzero().to_string();
        self.places
            .iter()
            .try_for_each(|place| place.write("cgroup.procs", &pid))
    }

    /// The `cgroup.procs` files, for a process that moves itself by writing `0` into each.
    ///
    /// # Errors
    /// One can't be opened.
    pub fn procs_files(&self) -> Result<Vec<File>> {
        self.places
            .iter()
            .map(|place| place.open_for_writing("cgroup.procs"))
            .collect()
    }

    /// The `tasks` files of version 1, for a process with one thread that moves itself by writing `0` into each.
    ///
    /// Nothing else is as fast: a thread that moves itself takes no lock of all processes, for which the first write to a
    /// `cgroup.procs` waits 6 to 10 ms (Linux 5.5).
    ///
    /// # Errors
    /// One can't be opened.
    pub fn tasks_files(&self) -> Result<Vec<File>> {
        self.places
            .iter()
            .filter(|place| place.version == Version::V1)
            .map(|place| place.open_for_writing("tasks"))
            .collect()
    }

    /// The directory in the unified hierarchy, in which [`crate::process::clone3`] starts a process. Where there are other hierarchies too, the process
    /// must still be moved into those.
    #[must_use]
    pub fn unified_dir(&self) -> Option<BorrowedFd<'_>> {
        let unified = self
            .places
            .iter()
            .find(|place| place.version == Version::V2);
        unified.map(|place| place.dir.as_fd())
    }

    /// Whether the unified hierarchy is the only one: a process started in it is in the whole group.
    #[must_use]
    pub fn is_unified(&self) -> bool {
        self.places.iter().all(|place| place.version == Version::V2)
    }

    /// The processes in the group and the groups below it.
    ///
    /// # Errors
    /// A file can't be read.
    pub fn pids(&self) -> Result<Vec<Pid>> {
        let mut pids = Vec::new();
        for place in &self.places {
            pids.extend(pids_below(&place.path)?);
        }
        pids.sort_unstable_by_key(|pid| pid.as_raw_nonzero());
        pids.dedup();
        Ok(pids)
    }

    /// Stops all processes in the group, and returns when they are.
    ///
    /// # Errors
    /// There is no freezer, or they did not stop within seconds; they are then thawed again.
    pub fn freeze(&self) -> Result<()> {
        let place = self
            .place_of(Controller::Freezer)
            .ok_or_else(|| self.lacks(Controller::Freezer))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Version 1 may stay at FREEZING when processes are made meanwhile: it is asked again.
            let frozen = match place.version {
                Version::V1 => {
                    place.write("freezer.state", "FROZEN")?;
                    place
                        .read("freezer.state")?
                        .is_some_and(|state| state.trim() == "FROZEN")
                }
                Version::V2 => {
                    place.write("cgroup.freeze", "1")?;
                    let events = place.read("cgroup.events")?.unwrap_or_default();
                    value_of(&events, "frozen") == Some(1)
                }
            };
            if frozen {
                return Ok(());
            }
            if Instant::now() > deadline {
                self.thaw()?;
                return Err(Error::new("freeze cgroup", &self.path, Errno::TIMEDOUT));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets all processes go on.
    ///
    /// # Errors
    /// There is no freezer.
    pub fn thaw(&self) -> Result<()> {
        let place = self
            .place_of(Controller::Freezer)
            .ok_or_else(|| self.lacks(Controller::Freezer))?;
        match place.version {
            Version::V1 => place.write("freezer.state", "THAWED"),
            Version::V2 => place.write("cgroup.freeze", "0"),
        }
    }

    /// The file that tells whether all processes are stopped: `freezer.state` reads `FROZEN`, `cgroup.events` has the line `frozen 1`.
    #[must_use]
    pub fn freezer_file(&self) -> Option<PathBuf> {
        let place = self.place_of(Controller::Freezer)?;
        Some(place.path.join(match place.version {
            Version::V1 => "freezer.state",
            Version::V2 => "cgroup.events",
        }))
    }

    /// Whether all processes are stopped.
    ///
    /// # Errors
    /// A file can't be read.
    pub fn is_frozen(&self) -> Result<bool> {
        let Some(place) = self.place_of(Controller::Freezer) else {
            return Ok(false);
        };
        Ok(match place.version {
            Version::V1 => place
                .read("freezer.state")?
                .is_some_and(|state| state.trim() == "FROZEN"),
            Version::V2 => {
                let events = place.read("cgroup.events")?.unwrap_or_default();
                value_of(&events, "frozen") == Some(1)
            }
        })
    }

    /// Kills all processes in the group and below, and returns when there are none that could still run.
    ///
    /// # Errors
    /// Some were still there after seconds, as when the kernel itself holds them.
    pub fn kill_all(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_micros(200);
        loop {
            let pids = self.pids()?;
            if pids.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::new(
                    "kill all of cgroup",
                    &self.path,
                    Errno::TIMEDOUT,
                ));
            }
            // cgroup.kill (Linux 5.14) takes those in the unified hierarchy at once, also those that are being made. Others may be in version 1's only.
            let unified = self
                .places
                .iter()
                .find(|place| place.version == Version::V2);
            let at_once = unified.is_some_and(|place| place.write("cgroup.kill", "1").is_ok());
            if !(at_once && self.is_unified()) {
                self.kill_each(&pids);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Frozen meanwhile, so that none makes another faster than it is killed. What fails is tried again by the caller.
    fn kill_each(&self, pids: &[Pid]) {
        let version = self.version_of(Controller::Freezer);
        if version == Some(Version::V1)
            && let Some(place) = self.place_of(Controller::Freezer)
        {
            drop(place.write("freezer.state", "FROZEN"));
        }
        for pid in pids {
            // A pidfd, and the group looked at again: the number may be another's by now.
            if let Ok(process) = PidFd::open(*pid)
                && self.contains(*pid)
            {
                drop(process.signal(libc::SIGKILL));
            }
        }
        if version.is_some() {
            // A version 1 process dies only when it is thawed.
            drop(self.thaw());
        }
    }

    /// Whether the kernel says of `pid` that it is in the group or below, in any hierarchy.
    fn contains(&self, pid: Pid) -> bool {
        let Ok(text) = std::fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero()))
        else {
            return false;
        };
        let own = self.path.relative();
        text.lines()
            .filter_map(|line| line.splitn(3, ':').nth(2))
            .any(|path| {
                // Where the hierarchy's root is not the host's, the path has more in front.
                path.match_indices(own).any(|(at, _)| {
                    let rest = &path[at + own.len()..];
                    path[..at].ends_with('/') && (rest.is_empty() || rest.starts_with('/'))
                })
            })
    }

    /// How many processes were killed for want of memory.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn oom_kills(&self) -> Result<u64> {
        let file = match self.version_of(Controller::Memory) {
            Some(Version::V1) => "memory.oom_control",
            Some(Version::V2) => "memory.events",
            None => return Ok(0),
        };
        let text = self.read(Controller::Memory, file)?.unwrap_or_default();
        Ok(value_of(&text, "oom_kill").unwrap_or(0))
    }

    /// Removes the group and the groups below it, everywhere. The processes must have ended; those that are just ending are waited for.
    ///
    /// # Errors
    /// A process is still in it after seconds.
    pub fn remove(self) -> Result<()> {
        let Self { path, places } = self;
        let mut first = Ok(());
        for Place {
            path: dir, dir: fd, ..
        } in places
        {
            drop(fd);
            let removed = remove_tree(&dir, Instant::now() + PATIENCE);
            first = first.and(removed.map_err(|error| Error::new("remove cgroup", &path, error)));
        }
        first
    }
}

/// Files whose values the kernel compares with those of others.
const ORDERED: [&str; 8] = [
    "memory.limit_in_bytes",
    "cpu.cfs_period_us",
    "cpu.cfs_quota_us",
    "cpu.cfs_burst_us",
    "cpu.rt_period_us",
    "cpu.rt_runtime_us",
    "cpu.max",
    "cpu.max.burst",
];

/// The number behind `key` in a file of lines `key number`.
pub(super) fn value_of(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok())?
    })
}
