//! `exec`.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;

use kernel::cgroup::{Cgroup, CgroupPath, Controller, Layout};
use kernel::root::RootDir;
use runtime::{Bond, Confinement, ExecConfig, Executed, Namespaces, Running};
use spec::runtime::{Process, Spec, Status};

use crate::args::{Flag, Given, Order};
use crate::commands::Command;
use crate::container::{layout, must_group};
use crate::create::{CONSOLE_SOCKET, PID_FILE, PRESERVE_FDS};
use crate::fault::{Fault, Result};
use crate::foreground::Signals;
use crate::state::{is_frozen, told};
use crate::store::Record;
use crate::{Cx, console, foreground, seal};

pub(crate) const COMMAND: Command = Command {
    name: "exec",
    arguments: "ID COMMAND [ARGUMENT...]",
    about: "run a program in a container that runs",
    details: "The program is like the container's own, but for what the options say; or it is all that the file of --process says.\nExits with the program's code, with 255 if it never ran.",
    flags: &[
        Flag::option(
            "process",
            "p",
            "FILE",
            "a process as config.json has it, instead of COMMAND and the options about it",
        ),
        Flag::switch("tty", "t", "give the program a terminal"),
        CONSOLE_SOCKET,
        Flag::option("user", "u", "USER[:GROUP]", "who it is, by name or number"),
        Flag::option(
            "additional-gids",
            "g",
            "GID",
            "a further group; may be repeated",
        ),
        Flag::option(
            "env",
            "e",
            "NAME=VALUE",
            "a further variable; may be repeated",
        ),
        Flag::option("cwd", "", "DIR", "its working directory"),
        Flag::option("cap", "c", "NAME", "a further capability; may be repeated"),
        Flag::switch("no-new-privs", "", "it can't gain privileges by execve"),
        Flag::option("apparmor", "", "PROFILE", "its AppArmor profile"),
        Flag::option("process-label", "", "LABEL", "its SELinux label"),
        Flag::option(
            "cgroup",
            "",
            "[CONTROLLERS:]PATH",
            "run it in this cgroup below the container's; may be repeated for controllers of version 1",
        ),
        Flag::switch("detach", "d", "return when the program runs"),
        PID_FILE,
        PRESERVE_FDS,
        Flag::switch(
            "ignore-paused",
            "",
            "don't fail if the container is paused; the program runs when it is resumed",
        ),
        NO_SUBREAPER,
    ],
    order: Order::First,
    run: exec,
};

pub(crate) const NO_SUBREAPER: Flag = Flag::switch(
    "no-subreaper",
    "",
    "don't become the parent of what the container's processes leave behind",
);

/// What it exits with when the program never ran, as runc.
const FAILED: u8 = 255;

fn exec(cx: &Cx, given: &Given) -> Result<ExitCode> {
    run(cx, given).map_err(|mut fault| {
        fault.code = FAILED;
        fault
    })
}

fn run(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let (id, args) = given.id_and_rest()?;
    let detach = given.is_on("detach");
    seal::seal()?;
    let record = cx.store.load(id)?;
    let init = record
        .process()?
        .ok_or_else(|| Fault::new("cannot exec in a stopped container"))?;
    if !given.is_on("ignore-paused") && is_frozen(&record)? {
        return Err(Fault::new(
            "cannot exec in a paused container (use --ignore-paused to override)",
        ));
    }
    let spec = cx.store.config(id)?;
    let process = process(&spec, &record, given, args)?;
    console::check(&process, given.last("console-socket"), !detach)?;
    let layout = layout()?;
    let cgroup = cgroup(&layout, &record, given)?;
    let signals = match detach {
        true => None,
        false => Some(Signals::catch(!given.is_on("no-subreaper"))?),
    };
    let linux = spec.linux.as_ref();
    let state = told(&record, Status::Running);
    let filter = linux.and_then(|linux| linux.seccomp.as_ref());
    let confinement = filter
        .map(Confinement::new)
        .transpose()
        .map_err(Fault::at("exec in container"))?;
    let running = Running {
        pidfd: init.as_fd(),
        namespaces: Namespaces::of(&spec),
        confinement: confinement.as_ref(),
        cgroup: &cgroup,
        personality: linux.and_then(|l| l.personality.as_ref()),
        memory_policy: linux.and_then(|l| l.memory_policy.as_ref()),
        state: Some(&state),
    };
    let config = ExecConfig {
        process: &process,
        stdio: foreground::stdio(&process),
        bond: Bond::None,
        preserve_fds: given.number("preserve-fds")?.unwrap_or(0),
    };
    let mut executed = runtime::exec(&running, &config).map_err(Fault::at("exec in container"))?;
    if let Err(fault) = tell(given, &mut executed) {
        // Nobody would know of it. The fault is the one to tell.
        drop(executed.pidfd.signal(kernel::signal::SIGKILL));
        drop(executed.pidfd.wait());
        return Err(fault);
    }
    match signals {
        None => Ok(ExitCode::SUCCESS),
        Some(signals) => Ok(ExitCode::from(foreground::wait(
            &signals,
            executed.pid,
            &executed.pidfd,
            executed.console,
        )?)),
    }
}

/// Gives the caller what it asked for: the terminal and the pid.
fn tell(given: &Given, executed: &mut Executed) -> Result<()> {
    if let Some(socket) = given.last("console-socket")
        && let Some(console) = executed.console.take()
    {
        console::send(socket, &console)?;
    }
    if let Some(file) = given.last("pid-file") {
        console::write_pid(file, executed.pid.as_raw_nonzero().get())?;
    }
    Ok(())
}

/// The container's cgroup, or the one below that is asked for.
fn cgroup(layout: &Layout, record: &Record, given: &Given) -> Result<Cgroup> {
    let mut group = must_group(layout, record)?;
    for asked in given.all("cgroup") {
        let (names, path) = asked.split_once(':').unwrap_or(("", asked));
        let controllers = names
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| {
                Controller::parse(name)
                    .ok_or_else(|| Fault::usage(format!("--cgroup: no such controller: {name}")))
            });
        let controllers = controllers.collect::<Result<Vec<_>>>()?;
        // The container's own, from which exec begins anyway.
        if path.trim_matches('/').is_empty() {
            continue;
        }
        let below = CgroupPath::parse(path).map_err(Fault::at("--cgroup"))?;
        group = group
            .below(&controllers, &below)
            .map_err(Fault::at("--cgroup"))?;
    }
    Ok(group)
}

/// The container's own process with what was asked otherwise, or the one of a file.
fn process(spec: &Spec, record: &Record, given: &Given, args: &[String]) -> Result<Process> {
    if let Some(file) = given.last("process") {
        let fault = || format!("read {file}");
        let text = std::fs::read(file).map_err(Fault::at(fault()))?;
        return serde_json::from_slice(&text).map_err(Fault::at(fault()));
    }
    if args.is_empty() {
        return Err(Fault::usage("the program to run is missing"));
    }
    let mut process = spec.process.clone().unwrap_or_default();
    process.args = args.to_vec();
    process.terminal = given.is_on("tty");
    process.env.extend(given.all("env").map(str::to_owned));
    if let Some(cwd) = given.last("cwd") {
        cwd.clone_into(&mut process.cwd);
    }
    if let Some(user) = given.last("user") {
        become_user(&mut process, record, user)?;
    }
    for gid in given.all("additional-gids") {
        let gid = gid
            .parse()
            .map_err(Fault::at(format!("--additional-gids {gid}")))?;
        process.user.additional_gids.push(gid);
    }
    capabilities(&mut process, given.all("cap"));
    process.no_new_privileges |= given.is_on("no-new-privs");
    if let Some(profile) = given.last("apparmor") {
        profile.clone_into(&mut process.apparmor_profile);
    }
    if let Some(label) = given.last("process-label") {
        label.clone_into(&mut process.selinux_label);
    }
    Ok(process)
}

fn capabilities<'a>(process: &mut Process, asked: impl Iterator<Item = &'a str>) {
    for name in asked {
        let sets = process.capabilities.get_or_insert_default();
        for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
            set.push(name.to_owned());
        }
    }
}

fn become_user(process: &mut Process, record: &Record, user: &str) -> Result<()> {
    // The container's root as its first process sees it.
    let root = File::open(format!("/proc/{}/root", record.pid))
        .map_err(Fault::at("open the container's root"))?;
    let root = RootDir::from_fd(root.into());
    let found = runtime::resolve_user(&root, user, &[]).map_err(Fault::at("find user"))?;
    process.user.uid = found.uid;
    process.user.gid = found.gid;
    process.user.additional_gids = found.additional_gids;
    if found.uid != 0
        && let Some(sets) = &mut process.capabilities
    {
        // Root's capabilities are root's (CVE-2018-10856).
        sets.effective.clear();
        sets.permitted.clear();
        sets.ambient.clear();
    }
    Ok(())
}
