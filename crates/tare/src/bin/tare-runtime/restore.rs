//! `restore`: a container again, from the files of `checkpoint`.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kernel::Pid;
use kernel::cgroup::{Cgroup, Layout};
use kernel::mount::{
    Attr, FsContext, Mount, Propagation, Recursive, set_propagation, unmount_detach,
};
use kernel::namespace::{self, Kind as NamespaceOf};
use kernel::process::PidFd;
use kernel::root::RootDir;
use runtime::Turn;
use spec::runtime::{Namespace, NamespaceKind, Spec, Status};

use crate::args::{Flag, Given, Order};
use crate::checkpoint::{DESCRIPTORS, External, MOUNTS, What};
use crate::commands::Command;
use crate::container::{self, Bundle, layout};
use crate::create::{BUNDLE, CONSOLE_SOCKET, NO_PIVOT, PID_FILE, record};
use crate::criu::{Criu, Images, Kind, Message, SHARED, external_mount, joined, options, reasons};
use crate::delete::destroy;
use crate::exec::NO_SUBREAPER;
use crate::fault::{Fault, Result};
use crate::foreground::{self, Signals};
use crate::state::told;
use crate::store::{Record, Reservation};
use crate::{Cx, console};

pub(crate) const COMMAND: Command = Command {
    name: "restore",
    arguments: "ID",
    about: "make a container from the files of checkpoint, and let it go on",
    details: "The program criu does it. The bundle must be that of the checkpoint. Exits with the program's code, unless detached.",
    flags: &FLAGS,
    order: Order::Anywhere,
    run: restore,
};

const OWN: [Flag; 8] = [
    BUNDLE,
    CONSOLE_SOCKET,
    Flag::switch("detach", "d", "return when the processes run"),
    PID_FILE,
    NO_SUBREAPER,
    NO_PIVOT,
    Flag::option(
        "lsm-profile",
        "",
        "TYPE:NAME",
        "another security profile: apparmor:x, selinux:x",
    ),
    Flag::option(
        "lsm-mount-context",
        "",
        "CONTEXT",
        "another SELinux context of mounts",
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
const LOG: &str = "restore.log";
/// Where the root is mounted for CRIU, in the state directory.
const ROOT: &str = "root";
/// What hides directories.
const HIDDEN: &str = "hidden";

/// What came out of it.
struct Restored {
    pid: Pid,
    pidfd: PidFd,
    console: Option<OwnedFd>,
}

fn restore(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let id = given.id()?;
    let detach = given.is_on("detach");
    if given.is_on("no-pivot") {
        return Err(Fault::unsupported("restore --no-pivot"));
    }
    let program = Criu::find()?;
    own_mounts()?;
    let bundle = Bundle::read(given.last("bundle").unwrap_or("."))?;
    let process = bundle.spec.process.clone().unwrap_or_default();
    console::check(&process, given.last("console-socket"), !detach)?;
    let images = Images::open(given)?;
    let cgroup = container::cgroup(cx, &bundle.spec, id)?;
    let reservation = cx.store.reserve(id)?;
    let mut record = record(&bundle, id, cgroup)?;
    let kept = serde_json::to_vec(&with_own_time(&bundle.spec))
        .map_err(Fault::at("write configuration"))?;
    reservation.begin(&record, &kept)?;
    let signals = match detach {
        true => None,
        false => Some(Signals::catch(!given.is_on("no-subreaper"))?),
    };
    let layout = layout()?;
    let group = runtime::make_group(&bundle.spec, &layout, &record.cgroup)
        .map_err(Fault::at("make cgroup"))?;
    let order = Restore {
        cx,
        given,
        bundle: &bundle,
        record: &record,
        images: &images,
        layout: &layout,
        group: &group,
    };
    let state = cx.store.path(id);
    let ran = order.run(program, &state);
    unstage(&state);
    let made = ran.and_then(|made| Ok((keep(reservation, &mut record, &group, &made)?, made)));
    let mut restored = match made {
        Ok(((), restored)) => restored,
        Err(fault) => {
            // The fault is the one to tell.
            drop(group.kill_all());
            drop(group.remove());
            return Err(fault);
        }
    };
    if let Err(fault) = tell(given, &mut restored) {
        drop(destroy(cx, &record));
        return Err(fault);
    }
    let Some(signals) = signals else {
        return Ok(ExitCode::SUCCESS);
    };
    let ended = foreground::wait(&signals, restored.pid, &restored.pidfd, restored.console);
    destroy(cx, &record)?;
    Ok(ExitCode::from(ended?))
}

/// Gives this process a mount namespace of its own: however it ends, no mount of it is left. Before any directory is opened that CRIU is to
/// mount in.
fn own_mounts() -> Result<()> {
    const FAULT: &str = "prepare mounts";
    namespace::unshare(&[NamespaceOf::Mount]).map_err(Fault::at(FAULT))?;
    set_propagation("/", Propagation::Slave, Recursive::Yes).map_err(Fault::at(FAULT))
}

/// Takes away what [`Restore::stage`] made: none but this process sees it, but its state can't be removed with it.
fn unstage(state: &Path) {
    for name in [ROOT, HIDDEN] {
        let path = state.join(name);
        // Neither may be there yet.
        drop(unmount_detach(&path));
        drop(std::fs::remove_dir(path));
    }
}

/// CRIU puts processes into a time namespace, so that their clocks go on; an exec must enter it.
fn with_own_time(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    let known = spec.namespace(NamespaceKind::Time).is_some();
    if !known && Path::new("/proc/self/ns/time").exists() {
        let linux = spec.linux.get_or_insert_default();
        linux.namespaces.push(Namespace::new(NamespaceKind::Time));
    }
    spec
}

fn keep(
    reservation: Reservation,
    record: &mut Record,
    group: &Cgroup,
    made: &Restored,
) -> Result<()> {
    record.pid = made.pid.as_raw_nonzero().get();
    record.start_time =
        kernel::process::start_time(made.pid).map_err(Fault::at("look at process"))?;
    record.freezer = group.freezer_file();
    reservation.keep(record)
}

/// Gives the caller what it asked for: the terminal and the pid.
fn tell(given: &Given, restored: &mut Restored) -> Result<()> {
    if let Some(path) = given.last("console-socket")
        && let Some(console) = restored.console.take()
    {
        console::send(path, &console)?;
    }
    if let Some(path) = given.last("pid-file") {
        console::write_pid(path, restored.pid.as_raw_nonzero().get())?;
    }
    Ok(())
}

/// All that a restore needs to know.
struct Restore<'a> {
    cx: &'a Cx,
    given: &'a Given,
    bundle: &'a Bundle,
    record: &'a Record,
    images: &'a Images,
    layout: &'a Layout,
    group: &'a Cgroup,
}

impl Restore<'_> {
    fn run(&self, program: PathBuf, state: &Path) -> Result<Restored> {
        let spec = &self.bundle.spec;
        let mut options = options(self.given, spec, self.images, LOG)?;
        let root = self.stage(&mut options, state)?;
        options.text(13, &root);
        // The first process is this one's child, not CRIU's.
        options.flag(26, true);
        options.flag(6, true);
        for (field, flag) in [(53, "lsm-profile"), (63, "lsm-mount-context")] {
            if let Some(value) = self.given.last(flag) {
                options.text(field, value);
            }
        }
        let namespaces = self.namespaces(&mut options)?;
        self.streams(&mut options)?;
        let procs = self.group.procs_files().map_err(Fault::at("open cgroup"))?;
        let criu = Criu::start(program, namespaces, procs)?;
        roots(&mut options, criu.child.pid)?;
        let mut console = None;
        let asked = criu.ask(Kind::Restore, options, |notice, mut fds| {
            self.cx.log.debug(|| format!("criu: {}", notice.script));
            match notice.script.as_str() {
                "orphan-pts-master" => console = fds.pop(),
                "setup-namespaces" => self.hooks(notice.pid.unwrap_or(0))?,
                _ => {}
            }
            Ok(())
        });
        let ended = criu.finish();
        let reasons = || reasons(&self.images.log(LOG));
        let pid = match asked {
            Ok(response) => response.pid.and_then(Pid::from_raw),
            Err(fault) => return Err(Fault::new(format!("{fault}{}", reasons()))),
        };
        let pid = pid.ok_or_else(|| Fault::new(format!("criu restored nothing{}", reasons())))?;
        if !ended? {
            return Err(Fault::new(format!("criu failed{}", reasons())));
        }
        let pidfd = PidFd::open(pid).map_err(Fault::at("look at restored process"))?;
        Ok(Restored {
            pid,
            pidfd,
            console,
        })
    }

    /// Makes what the container's mounts begin with; gives the root.
    fn stage(&self, options: &mut Message, state: &Path) -> Result<String> {
        let fault = "prepare mounts";
        let (root, hidden) = (state.join(ROOT), state.join(HIDDEN));
        for directory in [&root, &hidden] {
            std::fs::create_dir(directory).map_err(Fault::at(fault))?;
        }
        let rootfs = self.bundle.root()?;
        let source =
            File::open(&rootfs).map_err(Fault::at(format!("open {}", rootfs.display())))?;
        let here = File::open("/").map_err(Fault::at(fault))?;
        // CRIU wants the root of a mount.
        let bind = Mount::clone_tree(&source, "", Recursive::Yes).map_err(Fault::at(fault))?;
        bind.attach(&here, &root).map_err(Fault::at(fault))?;
        self.mount_points(&RootDir::open(&root).map_err(Fault::at(fault))?)?;
        let attr = Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NOEXEC;
        let tmpfs = FsContext::new("tmpfs")
            .and_then(|context| context.string("mode", "555").string("size", "4k").create())
            .and_then(|fs| fs.mount(attr | Attr::MOUNT_ATTR_RDONLY));
        tmpfs
            .and_then(|mount| mount.attach(&here, &hidden))
            .map_err(Fault::at(fault))?;
        for external in self.externals()? {
            let source = match external.what {
                What::Bind => self.source(&external.target)?,
                What::MaskedFile => "/dev/null".to_owned(),
                What::MaskedDirectory => hidden.display().to_string(),
                What::Cgroup(name) => self.cgroup(&name)?,
            };
            external_mount(options, &external.target, &source);
        }
        Ok(root.display().to_string())
    }

    /// Targets of mounts that the file system lacks, as when it is another copy. What is below another mount is in the images.
    fn mount_points(&self, root: &RootDir) -> Result<()> {
        let mounts = &self.bundle.spec.mounts;
        for mount in mounts {
            let below = |m: &spec::runtime::Mount| {
                let rest = mount.destination.strip_prefix(m.destination.as_str());
                m.destination != mount.destination && rest.is_some_and(|r| r.starts_with('/'))
            };
            if mounts.iter().any(below) {
                continue;
            }
            let file = !mount.source.is_empty()
                && Path::new(&mount.source).is_absolute()
                && std::fs::metadata(&mount.source).is_ok_and(|m| !m.is_dir());
            let made = match file {
                true => root.ensure_file(&mount.destination, 0o755),
                false => root.create_dir_all(&mount.destination, 0o755),
            };
            made.map_err(Fault::at(format!("make {}", mount.destination)))?;
        }
        Ok(())
    }

    fn externals(&self) -> Result<Vec<External>> {
        let path = self.images.path.join(MOUNTS);
        let fault = || format!("read {}", path.display());
        let text = std::fs::read(&path).map_err(Fault::at(fault()))?;
        serde_json::from_slice(&text).map_err(Fault::at(fault()))
    }

    fn source(&self, target: &str) -> Result<String> {
        let mounts = &self.bundle.spec.mounts;
        let mount = mounts.iter().rfind(|m| m.destination == target);
        let mount = mount
            .ok_or_else(|| Fault::new(format!("the configuration has no mount at {target}")))?;
        Ok(self.bundle.path.join(&mount.source).display().to_string())
    }

    fn cgroup(&self, name: &str) -> Result<String> {
        let found = self.layout.hierarchies.iter().find(|h| {
            let at = h.mount.file_name().is_some_and(|n| n == name);
            at || h.name.as_deref() == Some(name)
        });
        let hierarchy =
            found.ok_or_else(|| Fault::new(format!("this host has no cgroup hierarchy {name}")))?;
        let path = self.group.path().to_string();
        let path = hierarchy.mount.join(path.trim_start_matches('/'));
        Ok(path.display().to_string())
    }

    /// Runs the hooks of a container whose namespaces are made. Those of the container's own side have done their work before the checkpoint.
    fn hooks(&self, pid: i32) -> Result<()> {
        let Some(hooks) = &self.bundle.spec.hooks else {
            return Ok(());
        };
        let mut told = told(self.record, Status::Creating);
        told.pid = pid;
        for turn in [Turn::Prestart, Turn::CreateRuntime] {
            runtime::run_hooks(hooks, turn, &told).map_err(Fault::at("restore container"))?;
        }
        Ok(())
    }

    /// Names the namespaces that are joined; gives the descriptors by which CRIU finds them, from 4 on.
    fn namespaces(&self, options: &mut Message) -> Result<Vec<OwnedFd>> {
        let mut fds = Vec::new();
        let joined = joined(&self.bundle.spec);
        for ((_, _, key, path), number) in joined.iter().zip(4..) {
            let fd = File::open(path).map_err(Fault::at(format!("open namespace {path}")))?;
            let mut inherited = Message::default();
            inherited.text(1, key);
            inherited.number(2, number);
            options.message(27, inherited);
            fds.push(fd.into());
        }
        let linux = self.bundle.spec.linux.iter();
        for namespace in linux.flat_map(|l| &l.namespaces) {
            let external = joined.iter().any(|(kind, ..)| *kind == namespace.kind);
            if namespace.path.is_empty() || external {
                continue;
            }
            let name = match namespace.kind {
                NamespaceKind::Ipc => "ipc",
                NamespaceKind::Uts => "uts",
                NamespaceKind::Mount => "mnt",
                NamespaceKind::User => "user",
                NamespaceKind::Time => "time",
                NamespaceKind::Cgroup | NamespaceKind::Network | NamespaceKind::Pid => {
                    return Err(Fault::unsupported("restore into a cgroup namespace"));
                }
            };
            let mut join = Message::default();
            join.text(1, name);
            join.text(2, &namespace.path);
            options.message(39, join);
        }
        Ok(fds)
    }

    /// Pipes that were the container's standard streams become this process's.
    fn streams(&self, options: &mut Message) -> Result<()> {
        let path = self.images.path.join(DESCRIPTORS);
        let fault = || format!("read {}", path.display());
        let text = std::fs::read(&path).map_err(Fault::at(fault()))?;
        let streams: Vec<String> = serde_json::from_slice(&text).map_err(Fault::at(fault()))?;
        for (stream, number) in streams.iter().zip(0..) {
            if stream.contains("pipe:") {
                let mut inherited = Message::default();
                inherited.text(1, stream);
                inherited.number(2, number);
                options.message(27, inherited);
            }
        }
        Ok(())
    }
}

/// Where in each hierarchy the processes are to be: where CRIU was put.
fn roots(options: &mut Message, criu: Pid) -> Result<()> {
    let path = format!("/proc/{}/cgroup", criu.as_raw_nonzero());
    let text = std::fs::read_to_string(&path).map_err(Fault::at(format!("read {path}")))?;
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(names), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        for name in names.split(',') {
            let mut root = Message::default();
            root.text(1, name);
            root.text(2, path);
            options.message(25, root);
        }
    }
    Ok(())
}
