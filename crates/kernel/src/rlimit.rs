//! Resource limits of processes.

use rustix::io::Errno;
use rustix::process::{Rlimit, getrlimit, prlimit};

use crate::error::At;
use crate::{Pid, Result};

pub use rustix::process::Resource;

/// Names in the OCI runtime specification's form.
const NAMES: [(&str, Resource); 16] = [
    ("RLIMIT_AS", Resource::As),
    ("RLIMIT_CORE", Resource::Core),
    ("RLIMIT_CPU", Resource::Cpu),
    ("RLIMIT_DATA", Resource::Data),
    ("RLIMIT_FSIZE", Resource::Fsize),
    ("RLIMIT_LOCKS", Resource::Locks),
    ("RLIMIT_MEMLOCK", Resource::Memlock),
    ("RLIMIT_MSGQUEUE", Resource::Msgqueue),
    ("RLIMIT_NICE", Resource::Nice),
    ("RLIMIT_NOFILE", Resource::Nofile),
    ("RLIMIT_NPROC", Resource::Nproc),
    ("RLIMIT_RSS", Resource::Rss),
    ("RLIMIT_RTPRIO", Resource::Rtprio),
    ("RLIMIT_RTTIME", Resource::Rttime),
    ("RLIMIT_SIGPENDING", Resource::Sigpending),
    ("RLIMIT_STACK", Resource::Stack),
];

/// The resource named `RLIMIT_NOFILE` or `nofile`.
#[must_use]
pub fn parse(name: &str) -> Option<Resource> {
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("RLIMIT_").unwrap_or(&upper);
    NAMES
        .iter()
        .find(|(known, _)| known.strip_prefix("RLIMIT_") == Some(short))
        .map(|it| it.1)
}

/// A limit. [`Limit::INFINITY`] is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What counts.
    pub soft: u64,
    /// Up to where the process itself may raise it.
    pub hard: u64,
}

impl Limit {
    /// No limit: RLIM_INFINITY.
    pub const INFINITY: u64 = u64::MAX;

    fn of(limit: &Rlimit) -> Self {
        let number = |value: Option<u64>| value.unwrap_or(Self::INFINITY);
        Self {
            soft: number(limit.current),
            hard: number(limit.maximum),
        }
    }

    fn rustix(self) -> Rlimit {
        let number = |value| (value != Self::INFINITY).then_some(value);
        Rlimit {
            current: number(self.soft),
            maximum: number(self.hard),
        }
    }
}

/// The calling process's limit.
#[must_use]
pub fn get(resource: Resource) -> Limit {
    Limit::of(&getrlimit(resource))
}

/// Sets a limit of the process `pid` (the caller for `None`), and gives the one that it has now. Where raising it is not allowed (no
/// `CAP_SYS_RESOURCE`, or more files than `fs.nr_open`), it is raised as far as it may be.
///
/// # Errors
/// A soft limit above the hard one (`EINVAL`), or no such process.
pub fn set(pid: Option<Pid>, resource: Resource, limit: Limit) -> Result<Limit> {
    const OP: &str = "set resource limit";
    let shown = || format!("{resource:?}");
    match prlimit(pid, resource, limit.rustix()) {
        Ok(_) => return Ok(limit),
        Err(Errno::PERM) => {}
        Err(error) => return Err(error).at(OP, shown()),
    }
    // The hard limit as it is, which costs no right.
    let now = match pid {
        None => get(resource),
        Some(pid) => read(pid, resource)?,
    };
    let hard = limit.hard.min(now.hard);
    let possible = Limit {
        soft: limit.soft.min(hard),
        hard,
    };
    prlimit(pid, resource, possible.rustix()).at(OP, shown())?;
    Ok(possible)
}

/// The limit of another process, by `/proc/PID/limits`: prlimit(2) in rustix does not read without writing.
fn read(pid: Pid, resource: Resource) -> Result<Limit> {
    let path = format!("/proc/{}/limits", pid.as_raw_nonzero());
    let text = std::fs::read_to_string(&path).at("read", &path)?;
    let row = match resource {
        Resource::Cpu => "Max cpu time",
        Resource::Fsize => "Max file size",
        Resource::Data => "Max data size",
        Resource::Stack => "Max stack size",
        Resource::Core => "Max core file size",
        Resource::Rss => "Max resident set",
        Resource::Nproc => "Max processes",
        Resource::Nofile => "Max open files",
        Resource::Memlock => "Max locked memory",
        Resource::As => "Max address space",
        Resource::Locks => "Max file locks",
        Resource::Sigpending => "Max pending signals",
        Resource::Msgqueue => "Max msgqueue size",
        Resource::Nice => "Max nice priority",
        Resource::Rtprio => "Max realtime priority",
        _ => "Max realtime timeout",
    };
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(row))
        .unwrap_or_default();
    let mut numbers = line
        .split_whitespace()
        .map(|word| word.parse().unwrap_or(Limit::INFINITY));
    let mut next = || numbers.next().unwrap_or(Limit::INFINITY);
    Ok(Limit {
        soft: next(),
        hard: next(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Limit, Resource, get, parse, set};

    #[test]
    fn names() {
        assert_eq!(parse("RLIMIT_NOFILE"), Some(Resource::Nofile));
        assert_eq!(parse("nproc"), Some(Resource::Nproc));
        assert_eq!(parse("RLIMIT_LUCK"), None);
    }

    #[test]
    fn what_can_not_be_raised_is_told() {
        // No process may have more files than fs.nr_open, whatever its rights.
        let before = get(Resource::Nofile);
        let wish = Limit {
            soft: Limit::INFINITY - 1,
            hard: Limit::INFINITY - 1,
        };
        let applied = set(None, Resource::Nofile, wish).unwrap();
        assert_eq!(
            applied,
            Limit {
                soft: before.hard,
                hard: before.hard
            }
        );
        assert_eq!(get(Resource::Nofile), applied);
        let own = rustix::process::getpid();
        assert_eq!(set(Some(own), Resource::Nofile, wish).unwrap(), applied);
        set(None, Resource::Nofile, before).unwrap();
    }

    #[test]
    fn a_soft_limit_above_the_hard_one_is_refused() {
        let wrong = Limit { soft: 20, hard: 10 };
        assert!(set(None, Resource::Nofile, wrong).is_err());
    }
}
