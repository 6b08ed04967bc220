//! What can't be done is refused here, in words that say so; nothing that was asked for is left out in silence. Pure.

mod resources;
#[cfg(test)]
mod tests;

use super::config::{Config, HostConfig};
use super::health;
use crate::bundle::defaults::RUNTIME;
use crate::error::{Error, Result};

/// What the checks have to know of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// Processors.
    pub(crate) cpus: usize,
    /// Whether the cgroup hierarchy is the unified one alone.
    pub(crate) unified: bool,
    /// Whether real-time scheduling can be limited.
    pub(crate) realtime: bool,
}

/// Refuses what is wrong or can't be done.
pub(crate) fn check(config: &Config, host: &mut HostConfig, machine: Machine) -> Result<()> {
    program(config)?;
    namespaces(host)?;
    life(host)?;
    resources::check(host, machine)
}

/// Refuses limits and restart policies that can't be had: all that can be changed of a container.
pub(crate) fn limits(host: &HostConfig, machine: Machine) -> Result<()> {
    restarts(host)?;
    resources::check(host, machine)
}

fn program(config: &Config) -> Result<()> {
    for variable in &config.env {
        if variable.is_empty() || variable.starts_with('=') || variable.contains('\0') {
            return Err(Error::invalid(format!(
                "invalid environment variable: {variable}"
            )));
        }
    }
    if !config.working_dir.is_empty() && !config.working_dir.starts_with('/') {
        return Err(Error::invalid(format!(
            "the working directory '{}' is invalid, it needs to be an absolute path",
            config.working_dir
        )));
    }
    for (what, name) in [
        ("hostname", &config.hostname),
        ("domainname", &config.domainname),
    ] {
        // It becomes a line of /etc/hosts, and the kernel takes at most 64 bytes.
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if name.len() > 64 || !name.bytes().all(good) {
            return Err(Error::invalid(format!("invalid {what}: {name:?}")));
        }
    }
    if let Some(signal) = &config.stop_signal
        && kernel::signal::parse(signal).is_none()
    {
        return Err(Error::invalid(format!("invalid signal: {signal}")));
    }
    if let Some(check) = &config.healthcheck {
        health::check(check)?;
    }
    Ok(())
}

fn namespaces(host: &HostConfig) -> Result<()> {
    let choose = |what: &str, mode: &str, good: &[&str]| {
        if good.contains(&mode) {
            Ok(())
        } else if mode.starts_with("container:") {
            Err(Error::unsupported(format!(
                "sharing the {what} namespace of another container ({mode}) is not supported yet"
            )))
        } else {
            Err(Error::invalid(format!("invalid {what} mode: {mode}")))
        }
    };
    choose("PID", &host.pid_mode, &["", "private", "host"])?;
    choose(
        "IPC",
        &host.ipc_mode,
        &["", "private", "shareable", "none", "host"],
    )?;
    choose("UTS", &host.uts_mode, &["", "private", "host"])?;
    choose(
        "cgroup namespace",
        &host.cgroupns_mode,
        &["", "private", "host"],
    )?;
    choose("user namespace", &host.userns_mode, &["", "host"])?;
    Ok(())
}

fn restarts(host: &HostConfig) -> Result<()> {
    let policy = &host.restart_policy;
    let count = policy.maximum_retry_count;
    let say = |text: &str| Err(Error::invalid(format!("invalid restart policy: {text}")));
    match policy.name.as_str() {
        "on-failure" if count < 0 => say("maximum retry count cannot be negative"),
        "on-failure" => Ok(()),
        "" | "no" | "always" | "unless-stopped" if count == 0 => Ok(()),
        "" | "no" | "always" | "unless-stopped" => {
            say("maximum retry count can only be used with 'on-failure'")
        }
        other => say(&format!(
            "unknown policy '{other}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )),
    }?;
    if host.auto_remove && !matches!(policy.name.as_str(), "" | "no") {
        return Err(Error::invalid(
            "can't create 'AutoRemove' container with restart policy",
        ));
    }
    Ok(())
}

fn life(host: &HostConfig) -> Result<()> {
    restarts(host)?;
    // Who copies a container gives back what its description says.
    if !["", "tare", RUNTIME].contains(&host.runtime.as_str()) {
        return Err(Error::invalid(format!(
            "unknown or invalid runtime name: {}",
            host.runtime
        )));
    }
    if !matches!(host.isolation.as_str(), "" | "default") {
        return Err(Error::invalid(format!(
            "invalid isolation mode: {} is for Windows",
            host.isolation
        )));
    }
    if let Some(option) = host.storage_opt.keys().next() {
        return Err(Error::unsupported(format!(
            "storage option {option} is not supported"
        )));
    }
    if !matches!(host.volume_driver.as_str(), "" | "local") {
        return Err(Error::unsupported(format!(
            "volume driver \"{}\" is not supported: only \"local\" is",
            host.volume_driver
        )));
    }
    log(host)
}

fn log(host: &HostConfig) -> Result<()> {
    let log = &host.log_config;
    match log.driver.as_str() {
        "" | "json-file" | "local" | "none" => {}
        other => {
            return Err(Error::unsupported(format!(
                "logging driver {other} is not supported: json-file and local are, and mean the engine's own log; none keeps nothing"
            )));
        }
    }
    for (option, value) in &log.options {
        let good = match option.as_str() {
            "max-size" => bytes(value).is_some_and(|n| n > 0),
            "max-file" => value.parse::<u32>().is_ok_and(|n| n > 0),
            _ => {
                let driver = if log.driver.is_empty() {
                    "json-file"
                } else {
                    &log.driver
                };
                return Err(Error::invalid(format!(
                    "unknown log opt '{option}' for {driver} log driver"
                )));
            }
        };
        if !good {
            return Err(Error::invalid(format!(
                "invalid value for log opt {option}: '{value}'"
            )));
        }
    }
    Ok(())
}

/// `10m`, `1.5g`, `1024`: bytes in binary units.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text
        .strip_suffix("ib")
        .or_else(|| text.strip_suffix('b'))
        .unwrap_or(&text);
    let (number, shift) = match text.chars().last()? {
        'k' => (&text[..text.len() - 1], 10),
        'm' => (&text[..text.len() - 1], 20),
        'g' => (&text[..text.len() - 1], 30),
        't' => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let unit = 1_u64 << shift;
    let mut total = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if !fraction.is_empty() {
        let digits: u64 = fraction.get(..fraction.len().min(6))?.parse().ok()?;
        let scale = 10_u64.pow(u32::try_from(fraction.len().min(6)).ok()?);
        total = total.checked_add(digits.checked_mul(unit)? / scale)?;
    }
    Some(total)
}
