//! The first process of a container that has none of its own for that (`--init`): it passes signals on, and takes away
//! processes that have ended and that nobody else waits for. The same program as the monitor, bound into the container.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use kernel::Pid;
use kernel::process::{Executable, Spawn, reap};
use kernel::signal::{self, SIGCHLD, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::stdio::{stderr, stdin, stdout};

use crate::error::{During, Result};

/// Its name in the container, which tells the program what it is to be: Docker's, by which it is looked for.
pub const INIT: &str = "docker-init";

/// Signals that tell of a mistake of this process, and those of a terminal's background: they are not passed on.
const OWN: [&str; 9] = [
    "FPE", "ILL", "SEGV", "BUS", "ABRT", "TRAP", "SYS", "TTIN", "TTOU",
];

/// Runs `command`, and gives what this process is to exit with.
///
/// # Errors
/// Signals can't be received. What can't be run is said on standard error, with 126 or 127.
pub fn init(command: &[OsString]) -> Result<u8> {
    let own: Vec<i32> = OWN.iter().filter_map(|name| signal::parse(name)).collect();
    let all = (1..=64).filter(|n| signal::name(*n).is_some());
    let passed: Vec<i32> = all
        .filter(|n| !own.contains(n) && !["KILL", "STOP"].map(signal::parse).contains(&Some(*n)))
        .collect();
    let signals = SignalFd::new(&passed).during("receive signals")?;
    let terminal: Vec<i32> = ["TTIN", "TTOU"]
        .iter()
        .filter_map(|n| signal::parse(n))
        .collect();
    signal::block(&terminal).during("receive signals")?;
    let main = match start(command) {
        Ok(main) => main,
        Err(code) => return Ok(code),
    };
    loop {
        let mut fds = [PollFd::new(&signals, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).during("receive signals"),
        }
        while let Some(received) = signals.read().during("receive signals")? {
            if received.signal != SIGCHLD {
                // It may have ended; then there is nobody to tell.
                drop(signal::kill(main, received.signal));
            }
        }
        while let Some((pid, status)) = reap().during("reap")? {
            if pid == main {
                return Ok(u8::try_from(status.code() & 0xff).unwrap_or(u8::MAX));
            }
        }
    }
}

/// Starts the command in a process group of its own, in the terminal's foreground if there is one.
fn start(command: &[OsString]) -> Result<Pid, u8> {
    let Some(name) = command.first() else {
        return Err(125);
    };
    let refused = |why: &str, code| {
        use std::io::Write as _;
        let text = format!("{INIT}: exec {}: {why}\n", name.display());
        drop(std::io::stderr().write_all(text.as_bytes()));
        Err(code)
    };
    let Some(program) = find(name) else {
        return refused("no such file or directory", 127);
    };
    let mut spawn = Spawn::new(Executable::Path(program), command.iter().cloned());
    for (name, value) in std::env::vars_os() {
        spawn = spawn.env(name, value);
    }
    for (number, fd) in [(0, stdin()), (1, stdout()), (2, stderr())] {
        // A closed one stays closed.
        if let Ok(fd) = fd.try_clone_to_owned() {
            spawn = spawn.fd(fd, number);
        }
    }
    spawn.foreground = true;
    match spawn.start() {
        Ok(child) => Ok(child.pid),
        Err(error) => {
            let code = if error.is_not_found() { 127 } else { 126 };
            refused(&error.source.to_string(), code)
        }
    }
}

/// The program of that name, as a shell finds it.
fn find(name: &OsStr) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.components().count() > 1 || path.is_absolute() {
        return path.exists().then(|| path.to_owned());
    }
    let search = std::env::var_os("PATH").unwrap_or_else(|| spec::profile::PATH.into());
    std::env::split_paths(&search)
        .map(|directory| directory.join(path))
        .find(|candidate| candidate.is_file())
}
