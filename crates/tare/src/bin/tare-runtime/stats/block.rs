//! Block devices.

use kernel::Result;
use kernel::cgroup::{Controller, Version};
use serde::Serialize;

use super::{Files, Psi, is_zero};

const IO: Controller = Controller::Io;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blkio {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_bytes_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_serviced_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Psi>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Entry {
    #[serde(skip_serializing_if = "is_zero")]
    major: u64,
    #[serde(skip_serializing_if = "is_zero")]
    minor: u64,
    op: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    value: u64,
}

impl Blkio {
    pub(super) fn of(files: &Files<'_>) -> Result<Self> {
        if files.version(IO) == Some(Version::V2) {
            let text = files.text(IO, "io.stat")?;
            return Ok(Self {
                io_service_bytes_recursive: v2(&text, [("rbytes", "Read"), ("wbytes", "Write")]),
                io_serviced_recursive: v2(&text, [("rios", "Read"), ("wios", "Write")]),
                psi: files.psi(IO, "io.pressure")?,
            });
        }
        // The scheduler's own count where there is one, else what throttling saw.
        let read = |what: &str| -> Result<Vec<Entry>> {
            let own = v1(&files.text(IO, &format!("blkio.bfq.{what}_recursive"))?);
            match own.is_empty() {
                true => Ok(v1(
                    &files.text(IO, &format!("blkio.throttle.{what}_recursive"))?
                )),
                false => Ok(own),
            }
        };
        Ok(Self {
            io_service_bytes_recursive: read("io_service_bytes")?,
            io_serviced_recursive: read("io_serviced")?,
            psi: None,
        })
    }
}

fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `8:0 Read 4096`, and a line `Total` that has no device.
fn v1(text: &str) -> Vec<Entry> {
    const OPS: [&str; 6] = ["Read", "Write", "Sync", "Async", "Discard", "Total"];
    let entries = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (major, minor) = device(words.next()?)?;
        let op = words.next()?;
        Some(Entry {
            major,
            minor,
            op: OPS.into_iter().find(|known| *known == op)?,
            value: words.next()?.parse().ok()?,
        })
    });
    entries.collect()
}

/// `8:0 rbytes=4096 wbytes=0 rios=1 …`
fn v2(text: &str, wanted: [(&str, &'static str); 2]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let Some((major, minor)) = words.next().and_then(device) else {
            continue;
        };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let op = wanted.iter().find(|(name, _)| *name == key);
            if let (Some((_, op)), Ok(value)) = (op, value.parse()) {
                entries.push(Entry {
                    major,
                    minor,
                    op,
                    value,
                });
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_tell_the_same() {
        let entry = |op, value| Entry {
            major: 8,
            minor: 0,
            op,
            value,
        };
        let expected = [entry("Read", 4096), entry("Write", 512)];
        assert_eq!(v1("8:0 Read 4096\n8:0 Write 512\nTotal 4608\n"), expected);
        let text = "8:0 rbytes=4096 wbytes=512 rios=1 wios=2 dbytes=0 dios=0\n";
        assert_eq!(
            v2(text, [("rbytes", "Read"), ("wbytes", "Write")]),
            expected
        );
    }
}
