//! Whether a container is well: what is asked for, and what its monitor has found.

#[cfg(test)]
mod tests;

use std::fs::File;

use jiff::Timestamp;
use protocol::health::Verdict;
use protocol::{Nanos, Probe};

use super::config::{Config, Healthcheck};
use crate::error::{Error, Result};
use crate::open::Inner;
use crate::truth::{Now, time};

/// Docker's, for what was not said.
const INTERVAL: i64 = 30_000_000_000;
const TIMEOUT: i64 = 30_000_000_000;
const START_INTERVAL: i64 = 5_000_000_000;
const RETRIES: u32 = 3;
/// The shortest time that may be asked for: a millisecond.
const SHORTEST: i64 = 1_000_000;

/// What is known of a container's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it is well.
    pub status: HealthStatus,
    /// How many looks failed in a row.
    pub failing_streak: u32,
    /// The last looks, oldest first.
    pub log: Vec<HealthLook>,
}

/// Whether a container is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthStatus {
    /// Nobody looks.
    None,
    /// Nothing is known yet.
    Starting,
    /// It is.
    Healthy,
    /// It is not.
    Unhealthy,
}

impl HealthStatus {
    /// Its name, as users know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::Starting, Self::Healthy, Self::Unhealthy]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthLook {
    /// When it began.
    pub start: Option<Timestamp>,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// 0 for well.
    pub exit_code: i64,
    /// What was written.
    pub output: String,
}

/// What a monitor is to run; none if nobody is to look.
pub(crate) fn probe(config: &Config) -> Option<Probe> {
    let check = config.healthcheck.as_ref()?;
    let args = match check.test.split_first()? {
        (kind, args) if kind == "CMD" && !args.is_empty() => args.to_vec(),
        (kind, [command]) if kind == "CMD-SHELL" => {
            let shell = config.shell.clone().unwrap_or_default();
            let shell = if shell.is_empty() {
                vec!["/bin/sh".to_owned(), "-c".to_owned()]
            } else {
                shell
            };
            shell.into_iter().chain([command.clone()]).collect()
        }
        _ => return None,
    };
    let nanos = |asked: i64, usual: i64| -> Nanos {
        let asked = if asked == 0 { usual } else { asked };
        asked.unsigned_abs()
    };
    Some(Probe {
        args,
        interval: nanos(check.interval, INTERVAL),
        timeout: nanos(check.timeout, TIMEOUT),
        start_period: nanos(check.start_period, 0),
        start_interval: nanos(check.start_interval, START_INTERVAL),
        retries: u32::try_from(check.retries)
            .ok()
            .filter(|n| *n > 0)
            .unwrap_or(RETRIES),
    })
}

/// Refuses what can't be looked for.
pub(crate) fn check(check: &Healthcheck) -> Result<()> {
    match check
        .test
        .split_first()
        .map(|(kind, rest)| (kind.as_str(), rest))
    {
        None | Some(("NONE", [])) => {}
        Some(("NONE", _)) => {
            return Err(Error::invalid(
                "invalid healthcheck: NONE takes no arguments",
            ));
        }
        Some(("CMD", [])) => {
            return Err(Error::invalid("invalid healthcheck: CMD needs a command"));
        }
        Some(("CMD-SHELL", rest)) if rest.len() != 1 => {
            return Err(Error::invalid(
                "invalid healthcheck: CMD-SHELL needs one command",
            ));
        }
        Some(("CMD" | "CMD-SHELL", _)) => {}
        Some((other, _)) => {
            return Err(Error::invalid(format!(
                "Unknown healthcheck type '{other}' (expected 'CMD')"
            )));
        }
    }
    for (what, nanos) in [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ] {
        if nanos != 0 && nanos < SHORTEST {
            return Err(Error::invalid(format!(
                "{what} in Healthcheck cannot be less than 1ms"
            )));
        }
    }
    if check.retries < 0 {
        return Err(Error::invalid("Retries in Healthcheck cannot be negative"));
    }
    Ok(())
}

/// What is known of the health of a container that is so `now`; none if nobody looks, or never did.
pub(crate) fn of(
    inner: &Inner,
    id: &spec::ContainerId,
    config: &Config,
    now: &Now,
) -> Result<Option<Health>> {
    if probe(config).is_none() {
        return Ok(None);
    }
    let starting = Health {
        status: HealthStatus::Starting,
        failing_streak: 0,
        log: Vec::new(),
    };
    let found = match File::open(inner.container_dir(id)) {
        Ok(directory) => protocol::Health::read(directory)?,
        Err(_) => None,
    };
    let Some(found) = found else {
        return Ok(now.is_alive().then_some(starting));
    };
    let status = match found.verdict {
        // As Docker has it: what does not run is not well.
        _ if !now.is_alive() => HealthStatus::Unhealthy,
        Verdict::Starting => HealthStatus::Starting,
        Verdict::Healthy => HealthStatus::Healthy,
        Verdict::Unhealthy => HealthStatus::Unhealthy,
    };
    let look = |look: protocol::health::Look| HealthLook {
        start: time(look.start),
        end: time(look.end),
        exit_code: look.code.into(),
        output: look.output,
    };
    Ok(Some(Health {
        status,
        failing_streak: found.streak,
        log: found.looks.into_iter().map(look).collect(),
    }))
}
