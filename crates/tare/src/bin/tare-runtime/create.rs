//! `create` and `run`.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use kernel::cgroup::Layout;
use runtime::{Bond, Config, Created, Gate, Keyring, Root};

use crate::args::Args;
use crate::container::{self, Bundle};
use crate::fault::{Fault, Result};
use crate::foreground;
use crate::settle;
use crate::state::{Record, START, Store};

/// What both commands take.
#[derive(Debug)]
struct Options {
    bundle: String,
    console_socket: Option<String>,
    pid_file: Option<String>,
    keyring: Keyring,
    preserve_fds: u32,
    detach: bool,
    keep: bool,
}

pub(crate) fn create(store: &Store, mut args: Args) -> Result<ExitCode> {
    let options = Options::read(&mut args)?;
    let id = args.id()?;
    make(store, &id, &options, Mode::Detached)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run(store: &Store, mut args: Args) -> Result<ExitCode> {
    let options = Options::read(&mut args)?;
    let id = args.id()?;
    let mode = if options.detach {
        Mode::Detached
    } else {
        Mode::Attached
    };
    let signals = match mode {
        Mode::Attached => Some(foreground::Signals::catch()?),
        Mode::Detached => None,
    };
    let mut made = make(store, &id, &options, mode)?;
    if let Err(fault) = release(store, &id, &mut made) {
        drop(settle::destroy(store, &id));
        return Err(fault);
    }
    let Some(signals) = signals else {
        return Ok(ExitCode::SUCCESS);
    };
    let ended = foreground::wait(&signals, &made.pidfd, made.console.take());
    if !options.keep {
        settle::destroy(store, &id)?;
    }
    Ok(ExitCode::from(ended?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The caller ends before the container.
    Detached,
    /// The caller waits for the container.
    Attached,
}

fn make(store: &Store, id: &str, options: &Options, mode: Mode) -> Result<Created> {
    let bundle = Bundle::read(&options.bundle)?;
    let process = bundle.spec.process.clone().unwrap_or_default();
    if !process.terminal && options.console_socket.is_some() {
        return Err(Fault::usage(
            "a console socket is given, but the process has no terminal",
        ));
    }
    if process.terminal && options.console_socket.is_none() && mode == Mode::Detached {
        return Err(Fault::usage(
            "the process has a terminal, but no console socket is given to send it to",
        ));
    }
    let reservation = store.reserve(id)?;
    let directory = File::open(reservation.path()).map_err(Fault::at("open state directory"))?;
    let gate: OwnedFd = kernel::socket::listen_at(&directory, START, 0o600)
        .map_err(Fault::at("make start socket"))?
        .into();
    let layout = Layout::probe().map_err(Fault::at("look at cgroups"))?;
    let cgroup = container::cgroup(&bundle.spec, id)?;
    let created = runtime::create(&Config {
        spec: &bundle.spec,
        root: Root::Path(bundle.root()?),
        layout: &layout,
        cgroup: &cgroup,
        stdio: foreground::stdio(&process),
        gate: Gate::Socket(gate),
        bond: Bond::None,
        keyring: options.keyring,
        preserve_fds: options.preserve_fds,
    });
    let mut created = created.map_err(Fault::of("create container"))?;
    let record = Record {
        v: Record::VERSION,
        id: id.to_owned(),
        bundle: bundle.path.display().to_string(),
        rootfs: bundle.root()?.display().to_string(),
        cgroup,
        pid: created.pid.as_raw_nonzero().get(),
        start_time: created.start_time,
        boot_id: kernel::process::boot_id().map_err(Fault::at("read boot id"))?,
        created: jiff::Timestamp::now().to_string(),
        annotations: bundle.spec.annotations.clone(),
    };
    let kept = reservation
        .keep(&record, &bundle.text)
        .and_then(|()| tell(options, &mut created));
    match kept {
        Ok(()) => Ok(created),
        Err(fault) => {
            drop(created.pidfd.signal(kernel::signal::SIGKILL));
            drop(settle::destroy(store, id));
            Err(fault)
        }
    }
}

/// Gives the caller what it asked for: the terminal and the pid.
fn tell(options: &Options, created: &mut Created) -> Result<()> {
    if let Some(path) = &options.console_socket
        && let Some(console) = created.console.take()
    {
        send_console(path, &console)?;
    }
    if let Some(path) = &options.pid_file {
        write_pid(path, created.pid.as_raw_nonzero().get())?;
    }
    Ok(())
}

/// Sends the terminal's master as runc does: with its name, to the socket at `path`.
pub(crate) fn send_console(path: &str, console: &OwnedFd) -> Result<()> {
    use std::os::fd::AsFd;
    let socket = UnixStream::connect(path)
        .map_err(Fault::at(format!("connect to console socket {path}")))?;
    kernel::socket::send_with_fds(&socket, b"/dev/ptmx", &[console.as_fd()])
        .map_err(Fault::at("send terminal"))?;
    Ok(())
}

/// Writes a pid file, complete or not at all.
pub(crate) fn write_pid(path: &str, pid: i32) -> Result<()> {
    use std::io::Write;
    let fault = || format!("write pid file {path}");
    let path = std::path::Path::new(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}"));
    let write = || {
        File::create(&temporary)?.write_all(pid.to_string().as_bytes())?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(Fault::at(fault()))
}

fn release(store: &Store, id: &str, made: &mut Created) -> Result<()> {
    let released = settle::release(store, id);
    if released.is_err() {
        drop(made.pidfd.wait());
    }
    released
}

impl Options {
    fn read(args: &mut Args) -> Result<Self> {
        let mut options = Self {
            bundle: ".".to_owned(),
            console_socket: None,
            pid_file: None,
            keyring: Keyring::Own,
            preserve_fds: 0,
            detach: false,
            keep: false,
        };
        while let Some(flag) = args.next_flag() {
            match flag.as_str() {
                "b" | "bundle" => options.bundle = args.value(&flag)?,
                "console-socket" => options.console_socket = Some(args.value(&flag)?),
                "pid-file" => options.pid_file = Some(args.value(&flag)?),
                "no-new-keyring" => {
                    if args.switch(&flag)? {
                        options.keyring = Keyring::Caller;
                    }
                }
                "no-pivot" | "no-subreaper" if !args.switch(&flag)? || flag == "no-subreaper" => {}
                "preserve-fds" => options.preserve_fds = number(&args.value(&flag)?)?,
                "d" | "detach" => options.detach = args.switch(&flag)?,
                "keep" => options.keep = args.switch(&flag)?,
                _ => return Err(Fault::usage(format!("no such option: --{flag}"))),
            }
        }
        Ok(options)
    }
}

pub(crate) fn number(text: &str) -> Result<u32> {
    text.parse()
        .map_err(|_| Fault::usage(format!("not a number: {text}")))
}
