//! Limits of processes.

use spec::runtime::Rlimit;

use crate::container::Ulimit;
use crate::error::{Error, Result};

const NAMES: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

pub(super) fn rlimits(ulimits: &[Ulimit]) -> Result<Vec<Rlimit>> {
    let rlimit = |limit: &Ulimit| {
        if !NAMES.contains(&limit.name.as_str()) {
            return Err(Error::invalid(format!(
                "invalid ulimit type: {}",
                limit.name
            )));
        }
        // -1 is no limit, which is the largest number.
        let number = |n: i64| u64::try_from(n).unwrap_or(u64::MAX);
        Ok(Rlimit {
            kind: format!("RLIMIT_{}", limit.name.to_ascii_uppercase()),
            hard: number(limit.hard),
            soft: number(limit.soft),
        })
    };
    ulimits.iter().map(rlimit).collect()
}
