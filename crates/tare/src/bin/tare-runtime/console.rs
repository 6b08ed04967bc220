//! What a caller is given of a new process: its terminal, and its pid.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use spec::runtime::Process;

use crate::fault::{Fault, Result};

/// Makes sure that a terminal has somebody to go to. `attached`: this process itself relays it.
pub(crate) fn check(process: &Process, socket: Option<&str>, attached: bool) -> Result<()> {
    match (process.terminal, socket) {
        (false, Some(_)) => Err(Fault::usage(
            "cannot use console socket if the process has no terminal",
        )),
        (true, None) if !attached => Err(Fault::usage(
            "cannot allocate tty if tare-runtime will detach without setting console socket",
        )),
        (true, Some(_)) if attached => Err(Fault::usage(
            "cannot use console socket if tare-runtime will not detach",
        )),
        _ => Ok(()),
    }
}

/// Sends the terminal's master as runc does: with its name, to the socket at `path`.
pub(crate) fn send(path: &str, console: &OwnedFd) -> Result<()> {
    let socket = UnixStream::connect(path)
        .map_err(Fault::at(format!("connect to console socket {path}")))?;
    kernel::socket::send_with_fds(&socket, b"/dev/ptmx", &[console.as_fd()])
        .map_err(Fault::at("send terminal"))?;
    Ok(())
}

/// Writes a pid file, complete or not at all.
pub(crate) fn write_pid(path: &str, pid: i32) -> Result<()> {
    let fault = || format!("write pid file {path}");
    let path = Path::new(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}"));
    let write = || {
        File::create(&temporary)?.write_all(pid.to_string().as_bytes())?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(Fault::at(fault()))
}
