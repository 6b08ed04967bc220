//! The container's first process, from its birth to its program. It runs in a copy of the caller and never returns into
//! it.

use std::convert::Infallible;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use kernel::mount::{Attr, FsContext};
use kernel::namespace::{self, Kind};
use kernel::process::{close_all_except, exit_now};
use spec::runtime::Status;

use crate::birth::{self, Birth};
use crate::channel::{Channel, Word};
use crate::config::{Config, Entry, Gate, Stdio};
use crate::console::{self, Console};
use crate::error::{Error, Result};
use crate::gate::{self, Starter};
use crate::hook::{Turn, run_hooks};
use crate::mount::{self, Dev, Masks, Root};
use crate::place::Place;
use crate::plan::Plan;
use crate::sources::Sources;
use crate::{device, launch, sysctl};

/// Runs the child of clone3.
pub(crate) fn main(making: &Made<'_>, channel: Channel) -> ! {
    let mut starter = Starter::Maker(channel);
    let Err(error) = run(making, &mut starter);
    starter.fail(&error);
    exit_now(error.exit_code())
}

/// What the maker has made for its first process.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    pub(crate) config: &'a Config<'a>,
    pub(crate) plan: &'a Plan,
    pub(crate) place: Place<'a>,
    pub(crate) sources: Sources,
}

fn run(made: &Made<'_>, starter: &mut Starter) -> Result<Infallible> {
    let Made { config, plan, .. } = made;
    shed(made, starter.channel().as_fd().as_raw_fd())?;
    birth::enter(plan, starter.channel())?;
    let late = plan.namespaces.birth == Birth::Late;
    if !late {
        lead_session()?;
    }
    let console = build(made, starter.channel())?;
    if !plan.hostname.is_empty() {
        rustix::system::sethostname(plan.hostname.as_bytes())
            .map_err(Error::at("set hostname", &plan.hostname))?;
    }
    if !plan.domainname.is_empty() {
        rustix::system::setdomainname(plan.domainname.as_bytes())
            .map_err(Error::at("set domainname", &plan.domainname))?;
    }
    let uid = plan.program.identity.uid();
    match &console {
        Some(console) => {
            console.give(uid)?;
            if !late {
                console.become_stdio()?;
            }
        }
        None => console::adopt(&config.stdio, uid)?,
    }
    let mut ready = launch::prepare(&plan.program, config.keyring)?;
    if late {
        birth::follow(starter.channel())?;
        lead_session()?;
        if let Some(console) = &console {
            console.become_stdio()?;
        }
    }
    ready.label(&plan.program)?;
    launch::die_with_caller(config.bond, starter.channel())?;
    let confined = launch::be_listened_to(&plan.program, starter.channel())?;
    let master = console.as_ref().map(|c| c.master.as_fd());
    starter.channel().send_ready(master)?;
    drop(console);
    gate::wait(&config.gate, starter)?;
    if plan.hooks.start {
        run_own(config, Turn::StartContainer, Status::Created)?;
    }
    launch::execute(&plan.program, &ready, confined, config.preserve_fds)
}

fn lead_session() -> Result<()> {
    rustix::process::setsid().map_err(Error::at("lead", "session"))?;
    Ok(())
}

/// Runs hooks in the container, which are told this process's number as it is there.
fn run_own(config: &Config<'_>, turn: Turn, status: Status) -> Result<()> {
    let Some(hooks) = &config.spec.hooks else {
        return Ok(());
    };
    let me = rustix::process::getpid().as_raw_nonzero().get();
    run_hooks(hooks, turn, &config.about.state(config.spec, status, me))
}

/// Leaves behind what is the caller's: signals, file mode, descriptors. Nothing of the host's stays open in the
/// container's namespaces (CVE-2016-9962, CVE-2024-21626).
fn shed(made: &Made<'_>, channel: RawFd) -> Result<()> {
    let Made {
        config,
        plan,
        place,
        sources,
    } = made;
    kernel::signal::reset()?;
    rustix::process::umask(rustix::fs::Mode::empty());
    let mut kept: Vec<RawFd> = vec![channel];
    kept.extend(config.stdio.fds().iter().map(AsRawFd::as_raw_fd));
    kept.extend(plan.namespaces.joined.iter().map(|(_, fd)| fd.as_raw_fd()));
    kept.extend(place.fds());
    kept.extend(sources.fds());
    kept.extend(launch::preserved(config.preserve_fds));
    if let Root::Mount(fd) = &config.root {
        kept.push(fd.as_raw_fd());
    }
    if let Gate::Socket(socket) = &config.gate {
        kept.push(socket.as_raw_fd());
    }
    close_all_except(&kept)?;
    Ok(())
}

/// Makes the container's world and moves into it.
fn build(made: &Made<'_>, channel: &Channel) -> Result<Option<Console>> {
    let Made {
        config,
        plan,
        place,
        sources,
    } = made;
    if plan.namespaces.made.contains(&Kind::Net) {
        kernel::netlink::loopback_up()?;
    }
    plan.root
        .isolate(plan.namespaces.made.contains(&Kind::Mount))?;
    let root = plan.root.attach(
        sources.root(),
        &config.root,
        plan.hooks.create && config.entry == Entry::Pivot,
    )?;
    let mut entered = false;
    let mut enter = || -> Result<()> {
        if !std::mem::replace(&mut entered, true) {
            place.enter(channel)?;
            if !plan.namespaces.later.is_empty() {
                namespace::unshare(&plan.namespaces.later)?;
            }
            if plan.namespaces.later.contains(&Kind::Time) {
                enter_own_time(plan)?;
            }
        }
        Ok(())
    };
    let own = plan.namespaces.is_own(Kind::Cgroup);
    let mounted = mount::apply(&plan.mounts, sources, &root, &plan.label, |step, target| {
        enter()?;
        place.mount(step, target, config.layout, own)
    })?;
    enter()?;
    if plan.mounts.dev == Dev::Filled {
        device::apply(&root, &plan.nodes)?;
    }
    let console = match config.stdio {
        Stdio::Terminal { rows, columns } => {
            let (rows, columns) = plan.program.size(rows, columns);
            Some(Console::open(&root, rows, columns)?)
        }
        Stdio::Pipes { .. } | Stdio::Inherited => None,
    };
    if let (Some(console), Dev::Filled) = (&console, plan.mounts.dev) {
        console.bind(&root)?;
    }
    let cwd = &plan.program.cwd;
    root.create_dir_all(cwd, 0o755)
        .map_err(|e| launch::lost(cwd, e.errno()))?;
    if !plan.sysctls.is_empty() {
        sysctl::apply(private_proc(mounted.proc.as_ref())?.as_fd(), &plan.sysctls)?;
    }
    mount::read_only(&root, &plan.readonly)?;
    if !plan.masked.is_empty() {
        Masks::new()?.apply(&root, &plan.masked)?;
    }
    mounted.seal()?;
    if plan.hooks.outside {
        channel.send_hooks()?;
        channel.wait_for(Word::Go)?;
    }
    if plan.hooks.create {
        run_own(config, Turn::CreateContainer, Status::Creating)?;
    }
    plan.root.enter(root, config.entry)?;
    Ok(console)
}

/// A new time namespace is only the children's before Linux 6.3, where exec enters it too; an exec would join the host's.
fn enter_own_time(plan: &Plan) -> Result<()> {
    let clocks = &plan.clocks;
    const NEW: &str = "/proc/self/ns/time_for_children";
    const OFFSETS: &str = "/proc/self/timens_offsets";
    if !clocks.is_empty() {
        // The file is the host's root's as long as this process can't be traced; nobody is in its namespaces who could.
        let own = plan.maps.is_some();
        if own {
            kernel::process::allow_tracing()?;
        }
        let mut file = std::fs::File::options()
            .write(true)
            .open(OFFSETS)
            .map_err(|e| Error::io("open", OFFSETS, e))?;
        file.write_all(clocks.as_bytes())
            .map_err(|e| Error::io("move", "clocks", e))?;
        if own {
            kernel::process::forbid_tracing()?;
        }
    }
    let own = std::fs::File::open(NEW).map_err(|e| Error::io("open", NEW, e))?;
    namespace::setns_one(&own, Kind::Time)?;
    Ok(())
}

/// A procfs of this process's namespaces that nothing is mounted over (R4).
fn private_proc(made: Option<&OwnedFd>) -> Result<OwnedFd> {
    if let Some(proc) = made {
        return proc.try_clone().map_err(Error::at("duplicate", "procfs"));
    }
    let proc = FsContext::new("proc")?
        .create()?
        .mount(Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NOEXEC)?;
    Ok(proc.into_fd())
}
