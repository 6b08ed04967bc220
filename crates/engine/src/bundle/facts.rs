//! What a specification depends on beside the container, looked up once a process.

use std::path::Path;

use super::{Facts, capabilities};
use crate::error::{Error, Result};

/// Whether the host's cgroup hierarchy is the unified one alone. Each look is one call.
pub(crate) fn is_unified() -> bool {
    // Where it is mounted on every machine since systemd 200, and what runc looks at.
    rustix::fs::statfs("/sys/fs/cgroup").is_ok_and(|s| s.f_type == 0x6367_7270)
}

impl Facts {
    /// This host's.
    pub(crate) fn of_host() -> Result<Self> {
        let uname = rustix::system::uname();
        Ok(Self {
            unified: is_unified(),
            capabilities: held()?,
            hostname: uname.nodename().to_string_lossy().into_owned(),
            masked: thermal_throttles(Path::new(spec::profile::MASKED_CPUS)),
        })
    }
}

/// The engine's own effective capabilities.
fn held() -> Result<Vec<String>> {
    const STATUS: &str = "/proc/self/status";
    let text = std::fs::read_to_string(STATUS)
        .map_err(|e| Error::internal(format!("read {STATUS}"), e))?;
    let mask = text
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or_default();
    let all = capabilities::ALL.iter().enumerate();
    Ok(all
        .filter(|(bit, _)| mask >> bit & 1 == 1)
        .map(|(_, name)| (*name).to_owned())
        .collect())
}

fn thermal_throttles(cpus: &Path) -> Vec<String> {
    let numbered = |name: &str| {
        name.strip_prefix("cpu")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let entries = std::fs::read_dir(cpus).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries
        .filter(|e| e.file_name().to_str().is_some_and(numbered))
        .map(|e| e.path().join("thermal_throttle"))
        .filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect();
    found.sort();
    found
}
