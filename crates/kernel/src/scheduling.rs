//! How a process is scheduled and where: policy, priority for input and output, execution domain, memory nodes, processors.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::At;
use crate::{Error, Pid, Result, raw};

/// The attributes of sched_setattr(2), as the kernel numbers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// SCHED_*: 0 is the usual one.
    pub policy: u32,
    /// SCHED_FLAG_*.
    pub flags: u64,
    /// The nice value, of the usual policies.
    pub nice: i32,
    /// The static priority, of the real-time policies: 1 to 99.
    pub priority: u32,
    /// Nanoseconds of SCHED_DEADLINE.
    pub runtime: u64,
    /// Its relative deadline.
    pub deadline: u64,
    /// Its period.
    pub period: u64,
}

/// Schedules the process `pid`, or the calling thread, by `attributes`.
///
/// # Errors
/// sched_setattr(2) refused: no right, no such policy, or in a version 1 cgroup without real-time runtime.
pub fn set(pid: Option<Pid>, attributes: &Attributes) -> Result<()> {
    let attributes = raw::sched::Attributes {
        size: 48,
        policy: attributes.policy,
        flags: attributes.flags,
        nice: attributes.nice,
        priority: attributes.priority,
        runtime: attributes.runtime,
        deadline: attributes.deadline,
        period: attributes.period,
    };
    raw::sched::set_attributes(number(pid), &attributes).at("set scheduler of", shown(pid))
}

/// A class of input and output priorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoClass {
    /// Served first.
    RealTime,
    /// The usual one.
    BestEffort,
    /// Served when nobody else wants anything.
    Idle,
}

/// Sets the priority for input and output of the process `pid`, or of the calling thread: `level` 0 is the highest, 7 the lowest.
///
/// # Errors
/// ioprio_set(2) refused: no right, or no such level.
pub fn set_io_priority(pid: Option<Pid>, class: IoClass, level: u8) -> Result<()> {
    const OP: &str = "set io priority of";
    if level > 7 {
        return Err(Error::invalid(OP, shown(pid), "levels are 0 to 7"));
    }
    let class = match class {
        IoClass::RealTime => 1,
        IoClass::BestEffort => 2,
        IoClass::Idle => 3,
    };
    raw::sched::set_io_priority(number(pid), class << 13 | i32::from(level)).at(OP, shown(pid))
}

/// An execution domain of personality(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// This machine's own.
    Linux,
    /// uname(2) tells of a 32-bit machine.
    Linux32,
}

/// Sets the execution domain of the calling thread and of all that it starts.
///
/// # Errors
/// personality(2) failed.
pub fn set_domain(domain: Domain) -> Result<()> {
    // PER_LINUX, PER_LINUX32 of linux/personality.h.
    let number = match domain {
        Domain::Linux => 0,
        Domain::Linux32 => 8,
    };
    raw::sched::set_personality(number).at("set", "execution domain")
}

/// Has the memory of the calling thread, and of all that it starts, come from `nodes`, in the way of `mode` (MPOL_* with MPOL_F_*).
///
/// # Errors
/// No such node or mode, or a kernel without memory policies.
pub fn set_memory_policy(mode: i32, nodes: &[u32]) -> Result<()> {
    let bits = libc::c_ulong::BITS;
    let mut mask = Vec::new();
    for &node in nodes {
        let word = usize::try_from(node / bits).unwrap_or(0);
        if mask.len() <= word {
            mask.resize(word + 1, 0);
        }
        mask[word] |= 1 << (node % bits);
    }
    raw::sched::set_memory_policy(mode, &mask).at("set", "memory policy")
}

/// The processors that the calling thread may run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affinity(CpuSet);

impl Affinity {
    /// Those numbered so.
    ///
    /// # Errors
    /// None, or one above 1023.
    pub fn of(processors: &[u32]) -> Result<Self> {
        const OP: &str = "use processors";
        let mut set = CpuSet::new();
        for &one in processors {
            let index = usize::try_from(one)
                .ok()
                .filter(|index| *index < CpuSet::MAX_CPU);
            let index =
                index.ok_or_else(|| Error::invalid(OP, one, "there are at most 1024 of them"))?;
            set.set(index);
        }
        if processors.is_empty() {
            return Err(Error::invalid(OP, "none", "a thread must run somewhere"));
        }
        Ok(Self(set))
    }

    /// Those of the calling thread.
    ///
    /// # Errors
    /// sched_getaffinity(2) failed.
    pub fn current() -> Result<Self> {
        sched_getaffinity(None)
            .map(Self)
            .at("read", "processors of this thread")
    }

    /// Has the calling thread run on these.
    ///
    /// # Errors
    /// The thread's cpuset has none of them (`EINVAL`).
    pub fn apply(&self) -> Result<()> {
        sched_setaffinity(None, &self.0).at("set", "processors of this thread")
    }
}

/// The numbers of a list as the kernel writes them: `0-3,7`. `None` for another text, or a number of `most` or above.
#[must_use]
pub fn parse_list(text: &str, most: u32) -> Option<Vec<u32>> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value: u32 = text.parse().ok().filter(|_| digits)?;
        (value < most).then_some(value)
    };
    let mut all = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        all.extend(first..=last);
        // Repeated ranges must not make it long.
        all.sort_unstable();
        all.dedup();
    }
    Some(all)
}

fn number(pid: Option<Pid>) -> i32 {
    pid.map_or(0, |pid| pid.as_raw_nonzero().get())
}

fn shown(pid: Option<Pid>) -> String {
    pid.map_or_else(
        || "this thread".to_owned(),
        |pid| format!("process {}", pid.as_raw_nonzero()),
    )
}

#[cfg(test)]
mod tests {
    use super::{
        Affinity, Attributes, Domain, IoClass, parse_list, set, set_domain, set_io_priority,
    };

    #[test]
    fn lists_are_read_and_bounded() {
        assert_eq!(parse_list("0-2,7", 1024), Some(vec![0, 1, 2, 7]));
        assert_eq!(parse_list("3", 1024), Some(vec![3]));
        assert_eq!(parse_list("1,0-1", 1024), Some(vec![0, 1]));
        for bad in [
            "",
            ",",
            "a",
            "1-",
            "-1",
            "2-1",
            "0-2147483647",
            "1024",
            "+1",
            "1--2",
            "1 2",
        ] {
            assert_eq!(parse_list(bad, 1024), None, "{bad}");
        }
        let long = "0,".repeat(100_000) + "0";
        assert_eq!(parse_list(&long, 1024), Some(vec![0]));
    }

    #[test]
    fn a_thread_schedules_itself() {
        std::thread::spawn(|| {
            let batch = Attributes {
                policy: 3,
                nice: 5,
                ..Attributes::default()
            };
            set(None, &batch).unwrap();
            set_io_priority(None, IoClass::BestEffort, 6).unwrap();
            assert!(set_io_priority(None, IoClass::Idle, 8).is_err());
            set_domain(Domain::Linux).unwrap();
            let all = Affinity::current().unwrap();
            all.apply().unwrap();
            assert!(Affinity::of(&[]).is_err());
            assert!(Affinity::of(&[4096]).is_err());
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let fields: Vec<&str> = stat
                .rsplit(')')
                .next()
                .unwrap()
                .split_whitespace()
                .collect();
            assert_eq!((fields[16], fields[38]), ("5", "3"), "{stat}");
        })
        .join()
        .unwrap();
    }
}
