//! What is changed on the host beside links and rules: sysctls, each with a note of what it was, so that it can be as before.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kernel::lock::{Flock, Sharing, Wait};
use serde::{Deserialize, Serialize};

use super::Warning;
use crate::error::{Doing, Error, Kind, Result};
use crate::rules::Closed;

/// How long to wait for another process that changes the rules.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was changed on the host, as a file says it.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Changes {
    /// `net.ipv4.ip_forward` was 0.
    forward_v4: bool,
    /// `net.ipv6.conf.all.forwarding` was 0.
    forward_v6: bool,
    /// Links that took router advertisements, which a router does only when told to twice: `accept_ra` was 1 and is 2.
    accept_ra: Vec<String>,
}

/// The directory with the lock and the notes.
#[derive(Debug, Clone)]
pub(super) struct Notes(PathBuf);

impl Notes {
    pub(super) fn below(run: &Path) -> Self {
        Self(run.join("network"))
    }

    /// Only its holder changes rules.
    pub(super) fn lock(&self) -> Result<Flock> {
        let failed = |e: io::Error| {
            Error::new(Kind::Other, format!("can't lock {}", self.0.display())).with_source(e)
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .map_err(failed)?;
        let path = self.0.join("rules.lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let until = Wait::Until(Instant::now() + PATIENCE);
        let lock = Flock::acquire(file, Sharing::Exclusive, until)
            .doing("can't lock the rules of the network")?;
        lock.ok_or_else(|| Error::new(Kind::Other, "can't lock the rules of the network"))
    }

    fn read(&self) -> Changes {
        // Half a file is never there: it is replaced as a whole. An older or newer one says nothing that can be undone.
        let text = fs::read(self.0.join("changed.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn write(&self, changes: &Changes) -> Result<()> {
        let failed =
            |e: io::Error| Error::new(Kind::Other, "can't note what is changed").with_source(e);
        let dir = File::open(&self.0).map_err(failed)?;
        let text = serde_json::to_vec(changes).map_err(|e| failed(e.into()))?;
        kernel::atomic::replace(&dir, "changed.json", &text, 0o600)
            .doing("can't note what is changed")
    }

    /// What is not ours and must not pass, because it did not pass before.
    pub(super) fn closed(&self) -> Closed {
        let changes = self.read();
        Closed {
            v4: changes.forward_v4,
            v6: changes.forward_v6,
        }
    }

    /// Switches forwarding on where it is off: the note first, then the rule by `close`, then the switch.
    pub(super) fn forward(
        &self,
        v6: bool,
        close: impl FnOnce(Closed) -> Result<()>,
    ) -> Result<Vec<Warning>> {
        let mut changes = self.read();
        let off = |path: &str| read_sysctl(path).as_deref() == Some("0");
        let new_v4 = off(FORWARD_V4);
        let new_v6 = v6 && off(FORWARD_V6);
        if !new_v4 && !new_v6 {
            return Ok(Vec::new());
        }
        changes.forward_v4 |= new_v4;
        changes.forward_v6 |= new_v6;
        let listeners = if new_v6 { listeners() } else { Vec::new() };
        changes.accept_ra.extend(listeners.iter().cloned());
        self.write(&changes)?;
        close(Closed {
            v4: changes.forward_v4,
            v6: changes.forward_v6,
        })?;
        for link in &listeners {
            write_sysctl(&format!("net/ipv6/conf/{link}/accept_ra"), "2")?;
        }
        let mut what = Vec::new();
        if new_v4 {
            write_sysctl(FORWARD_V4, "1")?;
            what.push("net.ipv4.ip_forward");
        }
        if new_v6 {
            write_sysctl(FORWARD_V6, "1")?;
            what.push("net.ipv6.conf.all.forwarding");
        }
        Ok(vec![Warning {
            message: format!(
                "{} was off and is switched on for containers; packets between other links are still not forwarded",
                what.join(" and ")
            ),
            hint: None,
        }])
    }

    /// Puts back what was changed.
    pub(super) fn restore(&self) -> Result<()> {
        let changes = self.read();
        if changes == Changes::default() {
            return Ok(());
        }
        let mut results = Vec::new();
        if changes.forward_v4 {
            results.push(write_sysctl(FORWARD_V4, "0"));
        }
        if changes.forward_v6 {
            results.push(write_sysctl(FORWARD_V6, "0"));
        }
        for link in &changes.accept_ra {
            let path = format!("net/ipv6/conf/{link}/accept_ra");
            // The link may be gone by now.
            if read_sysctl(&path).as_deref() == Some("2") {
                results.push(write_sysctl(&path, "1"));
            }
        }
        results.into_iter().collect::<Result<()>>()?;
        match fs::remove_file(self.0.join("changed.json")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Error::new(Kind::Other, "can't forget what was changed").with_source(e))
            }
            _ => Ok(()),
        }
    }
}

const FORWARD_V4: &str = "net/ipv4/ip_forward";
const FORWARD_V6: &str = "net/ipv6/conf/all/forwarding";

/// The links that take router advertisements now, and would not once the host is a router.
fn listeners() -> Vec<String> {
    let links = fs::read_dir("/proc/sys/net/ipv6/conf")
        .into_iter()
        .flatten();
    let names = links
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok());
    names
        .filter(|name| !matches!(name.as_str(), "all" | "default" | "lo"))
        .filter(|name| {
            read_sysctl(&format!("net/ipv6/conf/{name}/accept_ra")).as_deref() == Some("1")
        })
        .collect()
}

/// Whether the kernel has IPv6 at all.
#[must_use]
pub fn has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6").exists()
}

fn read_sysctl(path: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys").join(path)).ok()?;
    Some(text.trim_end().to_owned())
}

/// Writes a sysctl of the calling thread's network namespace. Links' names have no `/`: their door refuses it.
pub(super) fn write_sysctl(path: &str, value: &str) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .open(Path::new("/proc/sys").join(path))?;
        file.write_all(value.as_bytes())
    };
    write().map_err(|e| {
        let name = path.replace('/', ".");
        Error::new(Kind::Other, format!("can't set {name} to {value}")).with_source(e)
    })
}
