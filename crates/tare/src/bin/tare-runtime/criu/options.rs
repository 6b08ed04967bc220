//! What checkpoint and restore have in common: flags, and what they mean to CRIU.

use std::fs::{DirBuilder, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use spec::runtime::{NamespaceKind, Spec};

use super::Message;
use crate::args::{Flag, Given};
use crate::fault::{Fault, Result};

/// Flags of both commands.
pub(crate) const SHARED: [Flag; 10] = [
    Flag::option(
        "image-path",
        "",
        "DIR",
        "where the images are (default: checkpoint)",
    ),
    Flag::option(
        "work-path",
        "",
        "DIR",
        "where the log and temporary files are (default: with the images)",
    ),
    Flag::switch("tcp-established", "", "allow open TCP connections"),
    Flag::switch(
        "ext-unix-sk",
        "",
        "allow connections of unix sockets to the outside",
    ),
    Flag::switch(
        "shell-job",
        "",
        "allow a terminal or session that is not the container's",
    ),
    Flag::switch(
        "lazy-pages",
        "",
        "bring memory when it is used (userfaultfd)",
    ),
    Flag::switch("file-locks", "", "allow locks of files"),
    Flag::option(
        "manage-cgroups-mode",
        "",
        "MODE",
        "what to do with cgroups: soft (default), full, strict or ignore",
    ),
    Flag::option(
        "empty-ns",
        "",
        "KIND",
        "leave a namespace of this kind empty: network",
    ),
    Flag::switch("auto-dedup", "", "free memory images as they are used"),
];

/// Directories of images and of work, open.
#[derive(Debug)]
pub(crate) struct Images {
    pub(crate) path: PathBuf,
    images: OwnedFd,
    work: Option<(PathBuf, OwnedFd)>,
}

impl Images {
    /// Those that are named, made where they are missing.
    pub(crate) fn open(given: &Given) -> Result<Self> {
        let path = PathBuf::from(given.last("image-path").unwrap_or("checkpoint"));
        let work = given.last("work-path").map(PathBuf::from);
        Ok(Self {
            images: directory(&path)?,
            path,
            work: work.map(|w| directory(&w).map(|fd| (w, fd))).transpose()?,
        })
    }

    /// CRIU's log `name`.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        let work = self.work.as_ref().map_or(&self.path, |(path, _)| path);
        work.join(name)
    }
}

fn directory(path: &Path) -> Result<OwnedFd> {
    let fault = || format!("make {}", path.display());
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(path)
        .map_err(Fault::at(fault()))?;
    let opened = File::open(path).map_err(Fault::at(fault()))?;
    Ok(opened.into())
}

/// Namespaces whose content is not the runtime's to keep: the network's interfaces are the caller's.
const NEWNET: u64 = 0x4000_0000;

/// Options of both commands, with `log` as the name of the log.
pub(crate) fn options(given: &Given, spec: &Spec, images: &Images, log: &str) -> Result<Message> {
    let mut options = Message::default();
    let number = |fd: &OwnedFd| u64::try_from(fd.as_raw_fd()).unwrap_or(0);
    options.number(1, number(&images.images));
    if let Some((_, work)) = &images.work {
        options.number(17, number(work));
    }
    options.number(9, 4);
    options.text(10, log);
    options.flag(12, true);
    for (field, flag) in [
        (4, "ext-unix-sk"),
        (5, "tcp-established"),
        (7, "shell-job"),
        (8, "file-locks"),
        (16, "auto-dedup"),
        (48, "lazy-pages"),
    ] {
        options.flag(field, given.is_on(flag));
    }
    options.flag(24, true);
    options.number(34, cgroup_mode(given)?);
    for kind in given.all("empty-ns") {
        if kind != "network" {
            return Err(Fault::usage(format!("namespace {kind:?} is not supported")));
        }
    }
    options.number(38, NEWNET);
    options.flag(50, true);
    if let Some(file) = spec
        .annotations
        .get("org.criu.config")
        .filter(|f| !f.is_empty())
    {
        options.text(51, file);
    }
    Ok(options)
}

fn cgroup_mode(given: &Given) -> Result<u64> {
    Ok(match given.last("manage-cgroups-mode") {
        Some("ignore") => 0,
        Some("soft") => 3,
        Some("full") => 4,
        Some("strict") => 5,
        None => 6,
        Some(other) => {
            return Err(Fault::usage(format!(
                "invalid --manage-cgroups-mode: {other}"
            )));
        }
    })
}

/// The namespaces of the container that are others': kind as CRIU names it, its key, and the path.
pub(crate) fn joined(spec: &Spec) -> Vec<(NamespaceKind, &'static str, &'static str, &str)> {
    let kinds = [
        (NamespaceKind::Network, "net", "extRootNetNS"),
        (NamespaceKind::Pid, "pid", "extRootPidNS"),
    ];
    kinds
        .into_iter()
        .filter_map(|(kind, name, key)| {
            let path = spec.namespace(kind)?.path.as_str();
            (!path.is_empty()).then_some((kind, name, key, path))
        })
        .collect()
}

/// An entry of `ext_mnt`, field 23: a mount that CRIU doesn't make, by its name in the images.
pub(crate) fn external_mount(options: &mut Message, name: &str, value: &str) {
    let mut entry = Message::default();
    entry.text(1, name);
    entry.text(2, value);
    options.message(23, entry);
}
