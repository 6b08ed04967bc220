//! A bundle, read.

use std::path::{Path, PathBuf};

use spec::runtime::Spec;

use crate::fault::{Fault, Result};

/// A bundle: a directory with a configuration, and often a root.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) path: PathBuf,
    pub(crate) text: Vec<u8>,
    pub(crate) spec: Spec,
}

/// The largest configuration that is read.
const LARGEST: u64 = 16 << 20;

impl Bundle {
    pub(crate) fn read(path: &str) -> Result<Self> {
        let path = std::path::absolute(path).map_err(Fault::at("find bundle"))?;
        let file = path.join("config.json");
        let fault = || format!("read {}", file.display());
        let size = std::fs::metadata(&file).map_err(Fault::at(fault()))?.len();
        if size > LARGEST {
            return Err(Fault::new(format!("{}: too large", fault())));
        }
        let text = std::fs::read(&file).map_err(Fault::at(fault()))?;
        let spec = serde_json::from_slice(&text).map_err(Fault::at(fault()))?;
        Ok(Self { path, text, spec })
    }

    /// The root's directory.
    pub(crate) fn root(&self) -> Result<PathBuf> {
        let root = self.spec.root.as_ref().map_or("", |r| r.path.as_str());
        if root.is_empty() {
            return Err(Fault::new("the configuration has no root"));
        }
        Ok(self.path.join(Path::new(root)))
    }
}

/// The cgroup of the container `id`, below each hierarchy.
pub(crate) fn cgroup(spec: &Spec, id: &str) -> Result<String> {
    let asked = spec.linux.as_ref().map_or("", |l| l.cgroups_path.as_str());
    if asked.is_empty() {
        return Ok(format!("/{id}"));
    }
    if asked.contains(':') && !asked.contains('/') {
        return Err(Fault::unsupported("a cgroup of systemd's"));
    }
    Ok(asked.to_owned())
}
