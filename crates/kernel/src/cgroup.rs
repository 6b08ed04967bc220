//! Control groups of both versions, and hosts that have both at once.
//!
//! Read [`Layout`] (what this host has), then [`Resources`] and [`Plan`] (pure: which value goes into which file), then [`Cgroup`] (a group in all
//! hierarchies).

use std::fmt;

use crate::{Error, Result};

mod device;
mod directory;
mod group;
mod layout;
mod oom;
mod plan;
mod resources;
mod stat;
mod update;
mod usage;

pub use device::{Access, DeviceKind, DeviceRule, Permit};
pub use group::Cgroup;
pub use layout::{Hierarchy, Layout, Mode, Version};
pub use oom::{OomWatch, Woken};
pub use plan::{Need, Plan, Write};
pub use resources::{
    HugePageLimit, InterfacePriority, RdmaLimit, Resources, Throttle, WeightDevice,
};
pub use stat::Stats;
pub use usage::{
    Counted, CpuUsage, IoEntry, IoUsage, MemoryUsage, Pressure, RdmaUsage, Stall, Usage,
};

/// A kind of resource, by the name of version 2 where the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// Processor time.
    Cpu,
    /// Its accounting, which version 2 does always.
    CpuAcct,
    /// Which processors and memory nodes.
    CpuSet,
    /// Memory.
    Memory,
    /// Number of processes.
    Pids,
    /// Block devices; version 1 calls it `blkio`.
    Io,
    /// Large pages.
    HugeTlb,
    /// Which devices may be opened; version 2 has a BPF program for it.
    Devices,
    /// Freezing, which version 2 does always.
    Freezer,
    /// Remote direct memory access.
    Rdma,
    /// The class of packets; version 1 only.
    NetCls,
    /// The priority of packets; version 1 only.
    NetPrio,
    /// What is counted and is nothing of the above; version 2 only.
    Misc,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Cpu,
        Self::CpuAcct,
        Self::CpuSet,
        Self::Memory,
        Self::Pids,
        Self::Io,
        Self::HugeTlb,
        Self::Devices,
        Self::Freezer,
        Self::Rdma,
        Self::NetCls,
        Self::NetPrio,
        Self::Misc,
    ];

    /// Its name in the given version.
    #[must_use]
    pub const fn name(self, version: Version) -> &'static str {
        match (self, version) {
            (Self::Cpu, _) => "cpu",
            (Self::CpuAcct, _) => "cpuacct",
            (Self::CpuSet, _) => "cpuset",
            (Self::Memory, _) => "memory",
            (Self::Pids, _) => "pids",
            (Self::Io, Version::V1) => "blkio",
            (Self::Io, Version::V2) => "io",
            (Self::HugeTlb, _) => "hugetlb",
            (Self::Devices, _) => "devices",
            (Self::Freezer, _) => "freezer",
            (Self::Rdma, _) => "rdma",
            (Self::NetCls, _) => "net_cls",
            (Self::NetPrio, _) => "net_prio",
            (Self::Misc, _) => "misc",
        }
    }

    /// The one named so in either version.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|it| it.name(Version::V1) == name || it.name(Version::V2) == name)
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name(Version::V2))
    }
}

/// A group's place below the mount point of each hierarchy: `/tare/3f2a…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CgroupPath(String);

impl CgroupPath {
    /// Checks a path: its names are not empty, not `.` or `..`, of at most 255 bytes, and at least one.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self> {
        let relative = text.strip_prefix('/').unwrap_or(text);
        let fine = |name: &str| {
            !matches!(name, "" | "." | "..") && name.len() <= 255 && !name.contains(['\0', '\n'])
        };
        if relative.len() < 4096 && relative.split('/').all(fine) {
            Ok(Self(relative.to_owned()))
        } else {
            Err(Error::invalid(
                "use cgroup path",
                text,
                "not a path of plain names",
            ))
        }
    }

    /// Without the leading slash.
    pub(crate) fn relative(&self) -> &str {
        &self.0
    }

    /// The paths from the first name down to this one.
    pub(crate) fn ancestry(&self) -> impl Iterator<Item = &str> {
        let ends = self
            .0
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([self.0.len()]);
        ends.map(|end| &self.0[..end])
    }
}

impl fmt::Display for CgroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0)
    }
}

#[cfg(test)]
mod tests;
