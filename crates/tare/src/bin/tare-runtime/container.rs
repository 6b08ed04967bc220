//! A bundle, read; and the cgroup of a container.

use std::path::{Path, PathBuf};

use kernel::cgroup::{Cgroup, CgroupPath, Layout};
use runtime::Scope;
use spec::runtime::Spec;

use crate::Cx;
use crate::fault::{Fault, Result};
use crate::store::Record;

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

/// Where the cgroup of the new container `id` is to be, below each hierarchy.
pub(crate) fn cgroup(cx: &Cx, spec: &Spec, id: &str) -> Result<String> {
    if let Some(scope) = scope(cx.systemd, spec, id)? {
        return Ok(scope.path().to_owned());
    }
    let asked = spec.linux.as_ref().map_or("", |l| l.cgroups_path.as_str());
    if asked.is_empty() {
        return Ok(format!("/{id}"));
    }
    Ok(asked.to_owned())
}

/// The unit of a container whose cgroup is systemd's.
pub(crate) fn scope(systemd: bool, spec: &Spec, id: &str) -> Result<Option<Scope>> {
    if !systemd {
        return Ok(None);
    }
    if !runtime::is_booted() {
        return Err(Fault::new(
            "cgroups can't be systemd's: this host was not booted with it",
        ));
    }
    let asked = spec.linux.as_ref().map_or("", |l| l.cgroups_path.as_str());
    let scope = Scope::parse(asked, id).map_err(Fault::at("read cgroupsPath"))?;
    Ok(Some(scope))
}

/// The cgroup of a container, unless it is gone.
pub(crate) fn group(layout: &Layout, record: &Record) -> Result<Option<Cgroup>> {
    let path = CgroupPath::parse(&record.cgroup).map_err(Fault::at("read state"))?;
    Cgroup::open(layout, &path).map_err(Fault::at("open cgroup"))
}

/// The same, found anew.
pub(crate) fn find_group(record: &Record) -> Result<Option<Cgroup>> {
    group(&layout()?, record)
}

pub(crate) fn layout() -> Result<Layout> {
    Layout::probe().map_err(Fault::at("look at cgroups"))
}

/// The cgroup of a container that must have one.
pub(crate) fn must_group(layout: &Layout, record: &Record) -> Result<Cgroup> {
    group(layout, record)?.ok_or_else(|| Fault::new("the container's cgroup is gone"))
}
