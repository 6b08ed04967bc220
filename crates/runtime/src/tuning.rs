//! How a program is scheduled and where its memory comes from: from the specification's words to the kernel's.

use kernel::Pid;
use kernel::scheduling::{self, Affinity, Attributes, Domain, IoClass, parse_list};
use spec::runtime::{ExecCpuAffinity, IoPriority, MemoryPolicy, Personality, Process, Scheduler};

use crate::error::{Error, Result};

/// What the program itself takes on, and what its maker gives it from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tuning {
    domain: Option<Domain>,
    memory: Option<(i32, Vec<u32>)>,
    scheduler: Option<Attributes>,
    io: Option<(IoClass, u8)>,
    affinity: Processors,
}

/// The processors of an exec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Processors {
    pub(crate) initial: Option<Affinity>,
    pub(crate) last: Option<Affinity>,
}

/// What of the container's configuration holds for all its programs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shared<'a> {
    pub(crate) domain: Option<&'a Personality>,
    pub(crate) memory_policy: Option<&'a MemoryPolicy>,
}

impl Tuning {
    pub(crate) fn new(process: &Process, shared: Shared<'_>) -> Result<Self> {
        Ok(Self {
            domain: shared.domain.map(domain).transpose()?,
            memory: shared.memory_policy.map(memory).transpose()?,
            scheduler: process.scheduler.as_ref().map(scheduler).transpose()?,
            io: process.io_priority.as_ref().map(io).transpose()?,
            affinity: match &process.exec_cpu_affinity {
                Some(lists) => processors(lists)?,
                None => Processors::default(),
            },
        })
    }

    /// What the calling process takes on, for itself and its program.
    pub(crate) fn assume(&self) -> Result<()> {
        if let Some(domain) = self.domain {
            scheduling::set_domain(domain)?;
        }
        if let Some((mode, nodes)) = &self.memory {
            scheduling::set_memory_policy(*mode, nodes)?;
        }
        Ok(())
    }

    /// Whether there is something to give from outside.
    pub(crate) fn is_given(&self) -> bool {
        self.scheduler.is_some() || self.io.is_some()
    }

    /// Gives the program's process what needs rights on the host, and what a fork would take away (SCHED_FLAG_RESET_ON_FORK).
    pub(crate) fn give(&self, pid: Pid) -> Result<()> {
        if let Some(attributes) = &self.scheduler {
            scheduling::set(Some(pid), attributes)?;
        }
        if let Some((class, level)) = self.io {
            scheduling::set_io_priority(Some(pid), class, level)?;
        }
        Ok(())
    }

    pub(crate) fn processors(&self) -> &Processors {
        &self.affinity
    }
}

fn domain(personality: &Personality) -> Result<Domain> {
    if let Some(flag) = personality.flags.first() {
        return Err(Error::unsupported("set personality flag", flag));
    }
    match personality.domain.as_str() {
        "LINUX" => Ok(Domain::Linux),
        "LINUX32" => Ok(Domain::Linux32),
        other => Err(Error::invalid("set personality", other)),
    }
}

fn memory(policy: &MemoryPolicy) -> Result<(i32, Vec<u32>)> {
    /// More than the kernel can be built for.
    const MOST: u32 = 1024;
    let mode = named(&policy.mode, &MEMORY_MODES)
        .ok_or_else(|| Error::invalid("set memory policy", &policy.mode))?;
    let flags = policy.flags.iter().try_fold(0, |flags, name| {
        named(name, &MEMORY_FLAGS)
            .map(|flag| flags | flag)
            .ok_or_else(|| Error::invalid("set memory policy flag", name))
    })?;
    let nodes = if policy.nodes.is_empty() {
        Vec::new()
    } else {
        parse_list(&policy.nodes, MOST)
            .ok_or_else(|| Error::invalid("read memory nodes", shortened(&policy.nodes)))?
    };
    Ok((mode | flags, nodes))
}

/// MPOL_* of linux/mempolicy.h.
const MEMORY_MODES: [(&str, i32); 7] = [
    ("MPOL_DEFAULT", 0),
    ("MPOL_PREFERRED", 1),
    ("MPOL_BIND", 2),
    ("MPOL_INTERLEAVE", 3),
    ("MPOL_LOCAL", 4),
    ("MPOL_PREFERRED_MANY", 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];

/// The names of all memory policies.
pub(crate) fn memory_modes() -> Vec<&'static str> {
    MEMORY_MODES.map(|(name, _)| name).to_vec()
}

/// The names of their flags.
pub(crate) fn memory_flags() -> Vec<&'static str> {
    MEMORY_FLAGS.map(|(name, _)| name).to_vec()
}

const MEMORY_FLAGS: [(&str, i32); 3] = [
    ("MPOL_F_STATIC_NODES", 1 << 15),
    ("MPOL_F_RELATIVE_NODES", 1 << 14),
    ("MPOL_F_NUMA_BALANCING", 1 << 13),
];

/// SCHED_* of linux/sched.h.
const POLICIES: [(&str, u32); 7] = [
    ("SCHED_OTHER", 0),
    ("SCHED_FIFO", 1),
    ("SCHED_RR", 2),
    ("SCHED_BATCH", 3),
    ("SCHED_ISO", 4),
    ("SCHED_IDLE", 5),
    ("SCHED_DEADLINE", 6),
];

const FLAGS: [(&str, u64); 7] = [
    ("SCHED_FLAG_RESET_ON_FORK", 0x01),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

fn named<T: Copy>(name: &str, table: &[(&str, T)]) -> Option<T> {
    table.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
}

fn scheduler(spec: &Scheduler) -> Result<Attributes> {
    let policy = named(&spec.policy, &POLICIES)
        .ok_or_else(|| Error::invalid("set scheduler", &spec.policy))?;
    let flags = spec.flags.iter().try_fold(0, |flags, name| {
        named(name, &FLAGS)
            .map(|flag| flags | flag)
            .ok_or_else(|| Error::invalid("set scheduler flag", name))
    })?;
    let nice = spec.nice.unwrap_or(0);
    if !(-20..=19).contains(&nice) {
        return Err(Error::invalid("set nice value", nice.to_string()));
    }
    let priority = spec.priority.unwrap_or(0);
    let real_time = matches!(spec.policy.as_str(), "SCHED_FIFO" | "SCHED_RR");
    if priority != 0 && !real_time {
        return Err(Error::invalid(
            "set a priority without a real-time scheduler:",
            &spec.policy,
        ));
    }
    let deadline = [spec.runtime, spec.deadline, spec.period];
    let asked = deadline.iter().any(|value| value.is_some_and(|v| v != 0));
    if asked && spec.policy != "SCHED_DEADLINE" {
        return Err(Error::invalid(
            "set a deadline without its scheduler:",
            &spec.policy,
        ));
    }
    let [runtime, deadline, period] = deadline.map(Option::unwrap_or_default);
    Ok(Attributes {
        policy,
        flags,
        nice,
        priority: u32::try_from(priority)
            .map_err(|_| Error::invalid("set priority", priority.to_string()))?,
        runtime,
        deadline,
        period,
    })
}

fn io(spec: &IoPriority) -> Result<(IoClass, u8)> {
    let class = match spec.class.as_str() {
        "IOPRIO_CLASS_RT" => IoClass::RealTime,
        "IOPRIO_CLASS_BE" => IoClass::BestEffort,
        "IOPRIO_CLASS_IDLE" => IoClass::Idle,
        other => return Err(Error::invalid("set io priority class", other)),
    };
    let level = u8::try_from(spec.priority)
        .ok()
        .filter(|level| *level <= 7)
        .ok_or_else(|| Error::invalid("set io priority", spec.priority.to_string()))?;
    Ok((class, level))
}

fn processors(lists: &ExecCpuAffinity) -> Result<Processors> {
    let one = |list: &str| -> Result<Option<Affinity>> {
        if list.is_empty() {
            return Ok(None);
        }
        let numbers = parse_list(list, 1024)
            .ok_or_else(|| Error::invalid("read execCPUAffinity", shortened(list)))?;
        Ok(Some(Affinity::of(&numbers)?))
    };
    Ok(Processors {
        initial: one(&lists.initial)?,
        last: one(&lists.last)?,
    })
}

fn shortened(text: &str) -> String {
    text.escape_default().take(64).collect()
}

#[cfg(test)]
mod tests;
