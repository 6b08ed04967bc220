//! `create`, and the making of a container that `run` shares with it.

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use kernel::cgroup::Layout;
use runtime::{About, Bond, Config, Created, Entry, Gate, Keyring, Root};
use spec::runtime::NamespaceKind;

use crate::Cx;
use crate::args::{Flag, Given, Order};
use crate::commands::Command;
use crate::console;
use crate::container::{self, Bundle};
use crate::delete::destroy;
use crate::fault::{Fault, Result};
use crate::foreground;
use crate::seal;
use crate::store::{Record, START};

pub(crate) const COMMAND: Command = Command {
    name: "create",
    arguments: "ID",
    about: "make a container that waits for its start",
    details: "The configuration is the bundle's config.json. The container's first process is made, and waits; `start` lets it\nbecome the container's program.",
    flags: &[
        BUNDLE,
        CONSOLE_SOCKET,
        PID_FILE,
        NO_PIVOT,
        NO_NEW_KEYRING,
        PRESERVE_FDS,
    ],
    order: Order::Anywhere,
    run: create,
};

pub(crate) const BUNDLE: Flag = Flag::option(
    "bundle",
    "b",
    "DIR",
    "the directory with the configuration (default: this one)",
);
pub(crate) const CONSOLE_SOCKET: Flag = Flag::option(
    "console-socket",
    "",
    "PATH",
    "the socket that gets the terminal's master",
);
pub(crate) const PID_FILE: Flag =
    Flag::option("pid-file", "", "FILE", "write the process's pid to FILE");
pub(crate) const NO_PIVOT: Flag = Flag::switch(
    "no-pivot",
    "",
    "enter the root by chroot, on a host that runs from an initramfs; weaker",
);
pub(crate) const NO_NEW_KEYRING: Flag =
    Flag::switch("no-new-keyring", "", "keep the caller's session keyring");
pub(crate) const PRESERVE_FDS: Flag = Flag::option(
    "preserve-fds",
    "",
    "N",
    "pass N descriptors more, from 3 on",
);

fn create(cx: &Cx, given: &Given) -> Result<ExitCode> {
    make(cx, given, Mode::Detached)?;
    Ok(ExitCode::SUCCESS)
}

/// Who waits for the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nobody: the caller ends before.
    Detached,
    /// The caller.
    Attached,
}

/// Makes the container that is asked for.
pub(crate) fn make(cx: &Cx, given: &Given, mode: Mode) -> Result<Created> {
    let id = given.id()?;
    seal::seal()?;
    let bundle = Bundle::read(given.last("bundle").unwrap_or("."))?;
    let process = bundle.spec.process.clone().unwrap_or_default();
    console::check(
        &process,
        given.last("console-socket"),
        mode == Mode::Attached,
    )?;
    let cgroup = container::cgroup(cx, &bundle.spec, id)?;
    let preserve_fds = given.number("preserve-fds")?.unwrap_or(0);
    let reservation = cx.store.reserve(id)?;
    failpoint::failpoint!("tare-runtime.create.reserved");
    let mut record = record(&bundle, id, cgroup)?;
    record.systemd = cx.systemd;
    reservation.begin(&record, &bundle.text)?;
    failpoint::failpoint!("tare-runtime.create.begun");
    let gate: OwnedFd = kernel::socket::listen_at(reservation.directory()?, START, 0o600)
        .map_err(Fault::at("make start socket"))?
        .into();
    let layout = Layout::probe().map_err(Fault::at("look at cgroups"))?;
    let scope = container::scope(cx.systemd, &bundle.spec, id)?;
    let created = runtime::create(&Config {
        confinement: None,
        spec: &bundle.spec,
        root: Root::Path(bundle.root()?),
        layout: &layout,
        cgroup: &record.cgroup,
        stdio: foreground::stdio(&process),
        gate: Gate::Socket(gate),
        bond: Bond::None,
        keyring: match given.is_on("no-new-keyring") {
            true => Keyring::Caller,
            false => Keyring::Own,
        },
        preserve_fds,
        entry: match given.is_on("no-pivot") {
            true => Entry::Chroot,
            false => Entry::Pivot,
        },
        scope: scope.as_ref(),
        about: About {
            id,
            bundle: &record.bundle,
        },
    });
    let mut created = created.map_err(Fault::at("create container"))?;
    failpoint::failpoint!("tare-runtime.create.made");
    record.pid = created.pid.as_raw_nonzero().get();
    record.start_time = created.start_time;
    record.freezer = created.cgroup.freezer_file();
    cx.log.debug(|| {
        let Record { cgroup, pid, .. } = &record;
        format!("created container {id}: pid {pid}, cgroup {cgroup}")
    });
    let kept = reservation.keep(&record);
    failpoint::failpoint!("tare-runtime.create.kept");
    let kept = kept.and_then(|()| tell(given, &mut created));
    if let Err(fault) = kept {
        // The fault is the one to tell.
        drop(created.pidfd.signal(kernel::signal::SIGKILL));
        drop(destroy(cx, &record));
        return Err(fault);
    }
    Ok(created)
}

/// What is known before anything is made.
pub(crate) fn record(bundle: &Bundle, id: &str, cgroup: String) -> Result<Record> {
    Ok(Record {
        v: Record::VERSION,
        id: id.to_owned(),
        oci_version: bundle.spec.oci_version.clone(),
        bundle: bundle.path.display().to_string(),
        rootfs: bundle.root()?.display().to_string(),
        cgroup,
        boot_id: kernel::process::boot_id().map_err(Fault::at("read boot id"))?,
        created: jiff::Timestamp::now().to_string(),
        annotations: bundle.spec.annotations.clone(),
        own_pids: bundle
            .spec
            .namespace(NamespaceKind::Pid)
            .is_some_and(|n| n.path.is_empty()),
        rdt: bundle
            .spec
            .linux
            .as_ref()
            .is_some_and(|l| l.intel_rdt.is_some()),
        hooks: bundle.spec.hooks.is_some(),
        ..Record::default()
    })
}

/// Gives the caller what it asked for: the terminal and the pid.
fn tell(given: &Given, created: &mut Created) -> Result<()> {
    if let Some(path) = given.last("console-socket")
        && let Some(console) = created.console.take()
    {
        console::send(path, &console)?;
    }
    if let Some(path) = given.last("pid-file") {
        console::write_pid(path, created.pid.as_raw_nonzero().get())?;
    }
    Ok(())
}
