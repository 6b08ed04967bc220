//! Who a program is and what it may do: ids, capabilities, limits, labels, filter. One way for all programs of a container
//! (R16): every second path that peers had was once the one without enforcement.

use std::os::fd::OwnedFd;

use kernel::Pid;
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, openat};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit, setrlimit};
use rustix::thread::{self, CapabilitySet, CapabilitySets};
use spec::runtime::{Capabilities, Process};

use crate::error::{Error, Result};
use crate::filter::Confinement;
use crate::idmap;
use crate::label::Labels;

/// The identity of a program.
#[derive(Debug)]
pub(crate) struct Identity {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    sets: Sets,
    no_new_privileges: bool,
    limits: Vec<(Resource, Limit)>,
    oom_score_adj: Option<i32>,
    apparmor: String,
    selinux: String,
    filter: Option<Confinement>,
}

/// The five capability sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sets {
    pub(crate) bounding: u64,
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
    pub(crate) ambient: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    soft: u64,
    hard: u64,
}

impl Identity {
    pub(crate) fn new(process: &Process, filter: Option<Confinement>) -> Result<Self> {
        let user = &process.user;
        Ok(Self {
            uid: checked(user.uid)?,
            gid: checked(user.gid)?,
            groups: user
                .additional_gids
                .iter()
                .map(|&g| checked(g))
                .collect::<Result<_>>()?,
            sets: process.capabilities.as_ref().map(sets).unwrap_or_default(),
            no_new_privileges: process.no_new_privileges,
            limits: process
                .rlimits
                .iter()
                .map(|l| limit(&l.kind, l.soft, l.hard))
                .collect::<Result<_>>()?,
            oom_score_adj: process.oom_score_adj,
            apparmor: process.apparmor_profile.clone(),
            selinux: process.selinux_label.clone(),
            filter,
        })
    }

    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// Tells the kernel how gladly to kill this process. Through the host's procfs: before the container's mounts.
    pub(crate) fn adjust_oom(&self) -> Result<()> {
        let Some(value) = self.oom_score_adj else {
            return Ok(());
        };
        let at = |e| Error::io("adjust", "oom score", e);
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(CWD, "/proc/self/oom_score_adj", flags, Mode::empty()).map_err(at)?;
        match rustix::io::write(&file, value.to_string().as_bytes()) {
            // Less than the caller's own is for CAP_SYS_RESOURCE only: then it stays.
            Ok(_) | Err(Errno::ACCESS) => Ok(()),
            Err(error) => Err(at(error)),
        }
    }

    /// Tells the kernel how gladly to kill the process `pid`, whose own procfs is not its own: root's in a user namespace is not the host's.
    pub(crate) fn adjust_oom_of(&self, pid: Pid) -> Result<()> {
        let Some(value) = self.oom_score_adj else {
            return Ok(());
        };
        match idmap::put(pid, "oom_score_adj", &value.to_string()) {
            // As above.
            Err(error) if error.errno() == Some(Errno::ACCESS.raw_os_error()) => Ok(()),
            other => other,
        }
    }

    /// Lets the process `pid`, or the calling one, raise its limits as far as the program is to have them, which root of a user namespace may not. As far
    /// as can be: what comes of it shows when they are set.
    pub(crate) fn raise_limits(&self, pid: Option<Pid>) {
        for &(resource, limit) in &self.limits {
            let now = getrlimit(resource);
            let wanted = (limit.hard != u64::MAX).then_some(limit.hard);
            let more = now
                .maximum
                .is_some_and(|most| wanted.is_none_or(|w| w > most));
            if more {
                let raised = Rlimit {
                    current: now.current,
                    maximum: wanted,
                };
                let _more_or_less = prlimit(pid, resource, raised);
            }
        }
    }

    pub(crate) fn filter(&self) -> Option<&Confinement> {
        self.filter.as_ref()
    }

    /// Takes on everything but the labels and the filter. Until [`Identity::confine`], CAP_SYS_ADMIN is kept where loading it needs that.
    pub(crate) fn assume(&self) -> Result<()> {
        for &(resource, limit) in &self.limits {
            apply_limit(resource, limit)?;
        }
        let at = |what: &'static str| move |e: Errno| Error::io("set", what, e);
        let held = thread::capabilities(None)
            .map_err(at("capabilities"))?
            .permitted
            .bits();
        drop_bounding(self.sets.bounding)?;
        thread::set_keep_capabilities(true).map_err(at("capabilities"))?;
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().map(|&g| Gid::from_raw(g)).collect();
        thread::set_thread_groups(&groups).map_err(at("groups"))?;
        thread::set_thread_res_gid(gid, gid, gid).map_err(at("group"))?;
        thread::set_thread_res_uid(uid, uid, uid).map_err(at("user"))?;
        // A change of ids may have set it anew (fs.suid_dumpable).
        kernel::process::forbid_tracing()?;
        let admin = if self.filter.is_some() && !self.no_new_privileges {
            CapabilitySet::SYS_ADMIN.bits()
        } else {
            0
        };
        let sets = self.sets.within(held);
        sets.with(admin & held).apply()?;
        thread::clear_ambient_capability_set().map_err(at("ambient capabilities"))?;
        for one in CapabilitySet::from_bits_retain(sets.ambient).iter() {
            thread::configure_capability_in_ambient_set(one, true)
                .map_err(at("ambient capabilities"))?;
        }
        thread::set_keep_capabilities(false).map_err(at("capabilities"))?;
        if self.no_new_privileges {
            thread::set_no_new_privs(true).map_err(at("no_new_privs"))?;
        }
        Ok(())
    }

    /// Loads the filter, and lets go of what that needed. Gives the filter's listener.
    pub(crate) fn confine(&self) -> Result<Option<OwnedFd>> {
        let Some(filter) = &self.filter else {
            return Ok(None);
        };
        let held = thread::capabilities(None)
            .map_err(Error::at("read", "capabilities"))?
            .permitted
            .bits();
        let sets = self.sets.within(held);
        let listener = filter.load()?;
        if !self.no_new_privileges {
            sets.apply()?;
        }
        Ok(listener)
    }

    pub(crate) fn labels(&self) -> Labels<'_> {
        Labels {
            apparmor: &self.apparmor,
            selinux: &self.selinux,
        }
    }
}

/// The kernel takes the highest id for "leave it as it is", which would be the caller's.
fn checked(id: u32) -> Result<u32> {
    if id == u32::MAX {
        return Err(Error::invalid("use id", id.to_string()));
    }
    Ok(id)
}

/// Names that this kernel, or this build, doesn't know are passed over, as the specification asks.
pub(crate) fn sets(names: &Capabilities) -> Sets {
    let mask = |names: &[String]| {
        let known = |name: &String| CapabilitySet::from_name(name.strip_prefix("CAP_")?);
        names
            .iter()
            .filter_map(known)
            .fold(0, |mask, one| mask | one.bits())
    };
    Sets {
        bounding: mask(&names.bounding),
        effective: mask(&names.effective),
        permitted: mask(&names.permitted),
        inheritable: mask(&names.inheritable),
        ambient: mask(&names.ambient),
    }
}

impl Sets {
    /// What can be had of them by a process that holds `held`.
    pub(crate) fn within(self, held: u64) -> Self {
        let permitted = self.permitted & held;
        let inheritable = self.inheritable & held;
        Self {
            bounding: self.bounding & held,
            effective: self.effective & permitted,
            permitted,
            inheritable,
            ambient: self.ambient & permitted & inheritable,
        }
    }

    fn with(self, more: u64) -> Self {
        Self {
            effective: self.effective | more,
            permitted: self.permitted | more,
            ..self
        }
    }

    fn apply(self) -> Result<()> {
        let set = CapabilitySet::from_bits_retain;
        let sets = CapabilitySets {
            effective: set(self.effective),
            permitted: set(self.permitted),
            inheritable: set(self.inheritable),
        };
        thread::set_capabilities(None, sets).map_err(Error::at("set", "capabilities"))
    }
}

fn drop_bounding(kept: u64) -> Result<()> {
    for bit in 0..u64::BITS {
        if kept & (1 << bit) != 0 {
            continue;
        }
        match thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit))
        {
            Ok(()) => {}
            // Past the last one that the kernel has.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(Error::io("set", "bounding capabilities", error)),
        }
    }
    Ok(())
}

fn limit(kind: &str, soft: u64, hard: u64) -> Result<(Resource, Limit)> {
    let resource = match kind {
        "RLIMIT_AS" => Resource::As,
        "RLIMIT_CORE" => Resource::Core,
        "RLIMIT_CPU" => Resource::Cpu,
        "RLIMIT_DATA" => Resource::Data,
        "RLIMIT_FSIZE" => Resource::Fsize,
        "RLIMIT_LOCKS" => Resource::Locks,
        "RLIMIT_MEMLOCK" => Resource::Memlock,
        "RLIMIT_MSGQUEUE" => Resource::Msgqueue,
        "RLIMIT_NICE" => Resource::Nice,
        "RLIMIT_NOFILE" => Resource::Nofile,
        "RLIMIT_NPROC" => Resource::Nproc,
        "RLIMIT_RSS" => Resource::Rss,
        "RLIMIT_RTPRIO" => Resource::Rtprio,
        "RLIMIT_RTTIME" => Resource::Rttime,
        "RLIMIT_SIGPENDING" => Resource::Sigpending,
        "RLIMIT_STACK" => Resource::Stack,
        _ => return Err(Error::invalid("limit", kind)),
    };
    if soft > hard {
        return Err(Error::invalid("limit less than its soft value:", kind));
    }
    Ok((resource, Limit { soft, hard }))
}

fn apply_limit(resource: Resource, wanted: Limit) -> Result<()> {
    let value = |v: u64| (v != u64::MAX).then_some(v);
    let set = |limit: Limit| {
        let Limit { soft, hard } = limit;
        setrlimit(
            resource,
            Rlimit {
                current: value(soft),
                maximum: value(hard),
            },
        )
    };
    let result = match set(wanted) {
        Err(Errno::PERM) => {
            // Without CAP_SYS_RESOURCE nothing is raised above what the caller has: as near to it as can be.
            let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
            set(Limit {
                soft: wanted.soft.min(most),
                hard: wanted.hard.min(most),
            })
        }
        other => other,
    };
    result.map_err(|e| Error::io("limit", format!("{resource:?}"), e))
}

#[cfg(test)]
mod tests;
