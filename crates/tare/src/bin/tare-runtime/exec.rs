//! `exec`.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;

use kernel::cgroup::{Cgroup, CgroupPath, Layout};
use kernel::root::RootDir;
use runtime::{Bond, ExecConfig, Namespaces, Running};
use spec::runtime::{Process, Spec, Status};

use crate::args::Args;
use crate::create::{number, send_console, write_pid};
use crate::fault::{Fault, Result};
use crate::foreground;
use crate::settle::status;
use crate::state::{Record, Store};

#[derive(Debug, Default)]
struct Options {
    process: Option<String>,
    terminal: bool,
    user: Option<String>,
    additional_gids: Vec<u32>,
    env: Vec<String>,
    cwd: Option<String>,
    capabilities: Vec<String>,
    no_new_privileges: bool,
    apparmor: Option<String>,
    label: Option<String>,
    detach: bool,
    pid_file: Option<String>,
    console_socket: Option<String>,
    preserve_fds: u32,
}

/// What `exec` exits with when the program never ran, as runc.
const FAILED: u8 = 255;

pub(crate) fn exec(store: &Store, args: Args) -> Result<ExitCode> {
    run(store, args).map_err(|mut fault| {
        if fault.code == 1 {
            fault.code = FAILED;
        }
        fault
    })
}

fn run(store: &Store, mut args: Args) -> Result<ExitCode> {
    let options = Options::read(&mut args)?;
    let id = args.next_id()?;
    let record = store.load(&id)?;
    let init = record.process()?;
    let init = init.ok_or_else(|| Fault::new("cannot exec in a stopped container"))?;
    match status(store, &record)? {
        Status::Paused => return Err(Fault::new("cannot exec in a paused container")),
        Status::Stopped => return Err(Fault::new("cannot exec in a stopped container")),
        Status::Creating | Status::Created | Status::Running => {}
    }
    let spec = store.config(&id)?;
    let process = process(&spec, &record, &options, args.rest())?;
    if !process.terminal && options.console_socket.is_some() {
        return Err(Fault::usage(
            "a console socket is given, but the process has no terminal",
        ));
    }
    if process.terminal && options.detach && options.console_socket.is_none() {
        return Err(Fault::usage(
            "the process has a terminal, but no console socket is given to send it to",
        ));
    }
    let layout = Layout::probe().map_err(Fault::at("look at cgroups"))?;
    let path = CgroupPath::parse(&record.cgroup).map_err(Fault::at("read state"))?;
    let cgroup = Cgroup::open(&layout, &path).map_err(Fault::at("open cgroup"))?;
    let cgroup = cgroup.ok_or_else(|| Fault::new("the container's cgroup is gone"))?;
    let signals = if options.detach {
        None
    } else {
        Some(foreground::Signals::catch()?)
    };
    let running = Running {
        pidfd: init.as_fd(),
        namespaces: Namespaces::of(&spec),
        seccomp: spec.linux.as_ref().and_then(|l| l.seccomp.as_ref()),
        cgroup: &cgroup,
    };
    let config = ExecConfig {
        process: &process,
        stdio: foreground::stdio(&process),
        bond: Bond::None,
        preserve_fds: options.preserve_fds,
    };
    let mut executed = runtime::exec(&running, &config).map_err(Fault::of("exec in container"))?;
    if let Some(socket) = &options.console_socket
        && let Some(console) = executed.console.take()
    {
        send_console(socket, &console)?;
    }
    if let Some(file) = &options.pid_file {
        write_pid(file, executed.pid.as_raw_nonzero().get())?;
    }
    match signals {
        None => Ok(ExitCode::SUCCESS),
        Some(signals) => Ok(ExitCode::from(foreground::wait(
            &signals,
            &executed.pidfd,
            executed.console,
        )?)),
    }
}

/// The container's own process with what was asked otherwise, or the one of a file.
fn process(spec: &Spec, record: &Record, options: &Options, args: Vec<String>) -> Result<Process> {
    if let Some(file) = &options.process {
        let fault = || format!("read {file}");
        let text = std::fs::read(file).map_err(Fault::at(fault()))?;
        return serde_json::from_slice(&text).map_err(Fault::at(fault()));
    }
    if args.is_empty() {
        return Err(Fault::usage("the program to run is missing"));
    }
    let mut process = spec.process.clone().unwrap_or_default();
    process.args = args;
    process.terminal = options.terminal;
    process.env.extend(options.env.iter().cloned());
    if let Some(cwd) = &options.cwd {
        process.cwd.clone_from(cwd);
    }
    if let Some(user) = &options.user {
        become_user(&mut process, record, user)?;
    }
    process
        .user
        .additional_gids
        .extend(&options.additional_gids);
    if !options.capabilities.is_empty() {
        let sets = process.capabilities.get_or_insert_default();
        for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
            set.extend(options.capabilities.iter().cloned());
        }
    }
    process.no_new_privileges |= options.no_new_privileges;
    if let Some(profile) = &options.apparmor {
        process.apparmor_profile.clone_from(profile);
    }
    if let Some(label) = &options.label {
        process.selinux_label.clone_from(label);
    }
    Ok(process)
}

fn become_user(process: &mut Process, record: &Record, user: &str) -> Result<()> {
    // The container's root as its first process sees it.
    let root = File::open(format!("/proc/{}/root", record.pid))
        .map_err(Fault::at("open the container's root"))?;
    let root = RootDir::from_fd(root.into());
    let found = runtime::resolve_user(&root, user, &[]).map_err(Fault::of("find user"))?;
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

impl Options {
    fn read(args: &mut Args) -> Result<Self> {
        let mut options = Self::default();
        while let Some(flag) = args.next_flag() {
            match flag.as_str() {
                "p" | "process" => options.process = Some(args.value(&flag)?),
                "t" | "tty" => options.terminal = args.switch(&flag)?,
                "u" | "user" => options.user = Some(args.value(&flag)?),
                "g" | "additional-gids" => {
                    options.additional_gids.push(number(&args.value(&flag)?)?)
                }
                "e" | "env" => options.env.push(args.value(&flag)?),
                "cwd" => options.cwd = Some(args.value(&flag)?),
                "c" | "cap" => options.capabilities.push(args.value(&flag)?),
                "no-new-privs" => options.no_new_privileges = args.switch(&flag)?,
                "apparmor" => options.apparmor = Some(args.value(&flag)?),
                "process-label" => options.label = Some(args.value(&flag)?),
                "d" | "detach" => options.detach = args.switch(&flag)?,
                "pid-file" => options.pid_file = Some(args.value(&flag)?),
                "console-socket" => options.console_socket = Some(args.value(&flag)?),
                "preserve-fds" => options.preserve_fds = number(&args.value(&flag)?)?,
                "no-subreaper" => args.no_value(&flag)?,
                _ => return Err(Fault::usage(format!("no such option: --{flag}"))),
            }
        }
        Ok(options)
    }
}
