//! `checkpoint`: the processes of a container become files.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use kernel::mountinfo::{self, MountInfo};
use serde::{Deserialize, Serialize};
use spec::runtime::{Spec, Status};

use crate::Cx;
use crate::args::{Flag, Given, Order};
use crate::commands::Command;
use crate::criu::{
    Criu, Images, Kind, Message, Notice, SHARED, external_mount, joined, options, reasons,
};
use crate::delete::destroy;
use crate::fault::{Fault, Result};
use crate::state::{name, status};
use crate::store::Record;

pub(crate) const COMMAND: Command = Command {
    name: "checkpoint",
    arguments: "ID",
    about: "write the processes of a container to files, for restore",
    details: "The program criu does it. The container is deleted then, unless it is to go on; its file system is not among the files.",
    flags: &FLAGS,
    order: Order::Anywhere,
    run: checkpoint,
};

const OWN: [Flag; 6] = [
    Flag::option(
        "parent-path",
        "",
        "DIR",
        "images of an earlier --pre-dump, relative to --image-path",
    ),
    Flag::switch("leave-running", "", "let the container go on"),
    Flag::switch(
        "pre-dump",
        "",
        "write memory only, and let the container go on",
    ),
    Flag::option(
        "status-fd",
        "",
        "N",
        "a descriptor that gets a zero byte when --lazy-pages is ready",
    ),
    Flag::option(
        "page-server",
        "",
        "ADDRESS:PORT",
        "send memory to a page server",
    ),
    Flag::switch(
        "tcp-skip-in-flight",
        "",
        "pass over TCP connections that are being made",
    ),
];

const FLAGS: [Flag; OWN.len() + SHARED.len()] = {
    let mut all = [OWN[0]; OWN.len() + SHARED.len()];
    let mut at = 0;
    while at < SHARED.len() {
        all[at] = SHARED[at];
        at += 1;
    }
    while at < all.len() {
        all[at] = OWN[at - SHARED.len()];
        at += 1;
    }
    all
};

/// The log's name, as runc's callers know it.
const LOG: &str = "dump.log";
/// What standard input, output and error were, as runc writes it.
pub(crate) const DESCRIPTORS: &str = "descriptors.json";
/// Mounts that aren't in the images.
pub(crate) const MOUNTS: &str = "external-mounts.json";

/// A mount that isn't in the images.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct External {
    /// Where it is in the container; its name in the images, too.
    pub(crate) target: String,
    pub(crate) what: What,
}

/// Where it comes from when it is made again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// The configuration says it.
    Bind,
    /// A file that hides another.
    MaskedFile,
    /// A directory that hides another.
    MaskedDirectory,
    /// The container's group in the hierarchy of version 1 that is mounted at this name.
    Cgroup(String),
}

fn checkpoint(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let id = given.id()?;
    let record = cx.store.load(id)?;
    let status = status(cx, &record)?;
    if !matches!(status, Status::Running | Status::Paused) {
        return Err(Fault::new(format!(
            "Container cannot be checkpointed in {} state",
            name(status)
        )));
    }
    let program = Criu::find()?;
    let status_fd = status_fd(given)?;
    let spec = cx.store.config(id)?;
    let images = Images::open(given)?;
    let mut options = options(given, &spec, &images, LOG)?;
    own_options(&mut options, given, &record, &images)?;
    let pre = given.is_on("pre-dump");
    if !pre {
        describe(&mut options, &spec, &record, &images.path)?;
    }
    let criu = Criu::start(program, Vec::new(), Vec::new())?;
    let kind = if pre { Kind::PreDump } else { Kind::Dump };
    let asked = criu.ask(kind, options, |notice, _| {
        cx.log.debug(|| format!("criu: {}", notice.script));
        ready(notice, status_fd.as_ref())
    });
    let ended = criu.finish();
    if let Err(fault) = asked {
        return Err(Fault::new(format!("{fault}{}", reasons(&images.log(LOG)))));
    }
    // After a first dump it waits for a second one, which is another command's.
    if !ended? && !pre {
        return Err(Fault::new(format!(
            "criu failed{}",
            reasons(&images.log(LOG))
        )));
    }
    if !pre && !given.is_on("leave-running") {
        destroy(cx, &record)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn status_fd(given: &Given) -> Result<Option<File>> {
    let number: Option<i32> = given.number("status-fd")?;
    let taken = number.filter(|n| *n >= 0).map(kernel::inherited::take);
    let fd = taken.transpose().map_err(Fault::at("--status-fd"))?;
    Ok(fd.map(File::from))
}

fn ready(notice: &Notice, status: Option<&File>) -> Result<()> {
    match (notice.script.as_str(), status) {
        ("status-ready", Some(mut status)) => status
            .write_all(&[0])
            .map_err(Fault::at("write to --status-fd")),
        _ => Ok(()),
    }
}

/// Options of a dump alone.
fn own_options(
    options: &mut Message,
    given: &Given,
    record: &Record,
    images: &Images,
) -> Result<()> {
    options.number(2, u64::try_from(record.pid).unwrap_or(0));
    options.text(13, &record.rootfs);
    options.flag(3, given.is_on("leave-running"));
    options.flag(46, given.is_on("tcp-skip-in-flight"));
    if let Some(parent) = given.last("parent-path") {
        if Path::new(parent).is_absolute() {
            return Err(Fault::usage("--parent-path must be relative"));
        }
        if !images.path.join(parent).is_dir() {
            return Err(Fault::usage(format!(
                "invalid --parent-path: {parent} is no directory in {}",
                images.path.display()
            )));
        }
        options.text(14, parent);
    }
    options.flag(
        15,
        given.is_on("pre-dump") || given.last("parent-path").is_some(),
    );
    if let Some(server) = given.last("page-server") {
        let refused = || Fault::usage("use --page-server ADDRESS:PORT to specify page server");
        let (address, port) = server.rsplit_once(':').ok_or_else(refused)?;
        let port: u16 = port.parse().map_err(|_| refused())?;
        let address = address.trim_start_matches('[').trim_end_matches(']');
        if address.is_empty() {
            return Err(refused());
        }
        let mut info = Message::default();
        info.text(1, address);
        info.number(2, u64::from(port));
        options.message(11, info);
    }
    // Else it stops the processes one by one, while they may make others.
    if let Some(freezer) = record.freezer.as_ref().and_then(|file| file.parent()) {
        options.text(44, &freezer.display().to_string());
    }
    Ok(())
}

/// What is the host's, for CRIU and for the restore.
fn describe(options: &mut Message, spec: &Spec, record: &Record, images: &Path) -> Result<()> {
    for (_, name, key, path) in joined(spec) {
        let inode = std::fs::metadata(path)
            .map_err(Fault::at(format!("look at namespace {path}")))?
            .ino();
        options.text(37, &format!("{name}[{inode}]:{key}"));
    }
    let path = format!("/proc/{}/mountinfo", record.pid);
    let text = std::fs::read(&path).map_err(Fault::at(format!("read {path}")))?;
    let externals = externals(spec, &mountinfo::parse(&text));
    for external in &externals {
        external_mount(options, &external.target, &external.target);
    }
    write(images, MOUNTS, &externals)?;
    let descriptors = (0..3).map(|fd| {
        let link = format!("/proc/{}/fd/{fd}", record.pid);
        let target = std::fs::read_link(link).unwrap_or_default();
        target.display().to_string()
    });
    write(images, DESCRIPTORS, &descriptors.collect::<Vec<_>>())
}

fn write(images: &Path, name: &str, value: &impl Serialize) -> Result<()> {
    let path = images.join(name);
    let text = serde_json::to_vec(value).map_err(Fault::at("write images"))?;
    let write = || File::create(&path)?.write_all(&text);
    write().map_err(Fault::at(format!("write {}", path.display())))
}

/// The mounts that CRIU can't make: those that the configuration binds, and those of which the container sees a part only.
fn externals(spec: &Spec, mounts: &[MountInfo]) -> Vec<External> {
    let whole = |mount: &MountInfo| {
        let top = Path::new("/");
        let same = |m: &&MountInfo| m.device == mount.device;
        mounts
            .iter()
            .filter(same)
            .any(|m| m.root == top && m.mount_point != top)
    };
    let bound = |target: &str| {
        let is_bind = |m: &&spec::runtime::Mount| {
            m.kind == "bind" || m.options.iter().any(|o| o == "bind" || o == "rbind")
        };
        spec.mounts
            .iter()
            .filter(is_bind)
            .any(|m| m.destination == target)
    };
    let mut found: Vec<External> = Vec::new();
    for mount in mounts.iter().filter(|m| m.mount_point != Path::new("/")) {
        let target = mount.mount_point.display().to_string();
        let what = if bound(&target) {
            What::Bind
        } else if whole(mount) {
            continue;
        } else if mount.fs_type == "cgroup" {
            let name = mount.mount_point.file_name().unwrap_or_default();
            What::Cgroup(name.to_string_lossy().into_owned())
        } else if mount.root == Path::new("/empty") {
            What::MaskedDirectory
        } else {
            What::MaskedFile
        };
        if found.iter().all(|known| known.target != target) {
            found.push(External { target, what });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_container_sees_only_in_part_is_external() {
        let text = b"\
1 0 254:0 /root / rw - ext4 /dev/vda rw
2 1 0:5 / /proc rw - proc proc rw
3 2 0:5 /bus /proc/bus ro - proc proc rw
4 2 0:6 /null /proc/keys ro - tmpfs tmpfs rw
5 2 0:6 /empty /proc/acpi ro - tmpfs tmpfs rw
6 1 0:7 / /dev rw - tmpfs tmpfs rw
7 6 0:8 / /dev/pts rw - devpts devpts rw
8 6 0:8 /0 /dev/console rw - devpts devpts rw
9 1 254:0 /volume /data rw - ext4 /dev/vda rw
10 1 0:9 / /sys/fs/cgroup rw - tmpfs cgroup rw
11 10 0:10 /x /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
";
        let mut spec = Spec::default();
        spec.mounts.push(spec::runtime::Mount {
            destination: "/data".to_owned(),
            kind: "bind".to_owned(),
            ..Default::default()
        });
        let found = externals(&spec, &mountinfo::parse(text));
        let expected = [
            ("/proc/keys", What::MaskedFile),
            ("/proc/acpi", What::MaskedDirectory),
            ("/data", What::Bind),
            ("/sys/fs/cgroup/pids", What::Cgroup("pids".to_owned())),
        ];
        let expected = expected.map(|(target, what)| External {
            target: target.to_owned(),
            what,
        });
        assert_eq!(found, expected);
    }
}
