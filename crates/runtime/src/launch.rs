//! From a process in the container's world to its program: the same steps for the first process and for every exec (R16).

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use kernel::process::{close_on_exec_from, execute as become_program, set_parent_death_signal};
use kernel::signal::SIGKILL;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::channel::{Channel, Word};
use crate::config::{Bond, Keyring};
use crate::error::{Error, Kind, Result};
use crate::plan::Program;
use crate::program::{look_up, refusal};

/// A program that can begin.
#[derive(Debug)]
pub(crate) struct Ready {
    path: CString,
    /// What labels are written through.
    proc: Option<OwnedFd>,
}

/// Goes to the program's directory, takes on its identity, and finds it.
pub(crate) fn prepare(program: &Program, keyring: Keyring) -> Result<Ready> {
    // Root may pass where the user can't, and the user where root can't (a network file system): one is enough.
    let arrived = match enter_directory(&program.cwd) {
        Err(Errno::ACCESS) => false,
        other => other.map(|()| true).map_err(|e| lost(&program.cwd, e))?,
    };
    if keyring == Keyring::Own {
        new_keyring()?;
    }
    let proc = program.identity.labels().proc()?;
    program.tuning.assume()?;
    program.identity.assume()?;
    if !arrived {
        enter_directory(&program.cwd).map_err(|e| lost(&program.cwd, e))?;
    }
    rustix::process::umask(Mode::from_raw_mode(program.umask));
    Ok(Ready {
        path: look_up(&program.name, &program.texts)?,
        proc,
    })
}

impl Ready {
    /// Has the program begin with its labels. In the process that becomes it: a label is one's own.
    pub(crate) fn label(&mut self, program: &Program) -> Result<()> {
        match self.proc.take() {
            Some(proc) => program.identity.labels().apply(proc.as_fd()),
            None => Ok(()),
        }
    }
}

/// Where a listener decides about system calls: loads the filter, and waits until it has what it needs. That is before the start, as the one who
/// starts may be another than the one who knows the listener.
pub(crate) fn be_listened_to(program: &Program, channel: &Channel) -> Result<Confined> {
    if program
        .identity
        .filter()
        .is_none_or(|f| f.listener().is_none())
    {
        return Ok(Confined::Not);
    }
    if let Some(listener) = program.identity.confine()? {
        channel.send_listener(listener.as_raw_fd())?;
        channel.wait_for(Word::Go)?;
    }
    Ok(Confined::Already)
}

/// Whether the filter of system calls is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confined {
    /// Not yet.
    Not,
    /// It is.
    Already,
}

/// Becomes the program. Between the filter of system calls and execve(2) is as little as can be.
pub(crate) fn execute(
    program: &Program,
    ready: &Ready,
    confined: Confined,
    preserved: u32,
) -> Result<Infallible> {
    close_on_exec_from(3 + preserved)?;
    if confined == Confined::Not {
        program.identity.confine()?;
    }
    let error = become_program(&ready.path, &program.args, &program.env);
    Err(refusal(&ready.path, error))
}

/// Has this process killed when the caller ends, and makes sure that it hasn't yet. After the last change of
/// credentials, which takes the signal away.
pub(crate) fn die_with_caller(bond: Bond, channel: &Channel) -> Result<()> {
    if bond == Bond::None {
        return Ok(());
    }
    // In a pid namespace of its own the parent has no number: the channel tells whether it is there.
    set_parent_death_signal(SIGKILL, rustix::process::getpid())?;
    if channel.is_abandoned() {
        return Err(Error::io("wait for", "the runtime", Errno::PIPE));
    }
    Ok(())
}

/// The descriptors that the program inherits besides 0 to 2.
pub(crate) fn preserved(count: u32) -> impl Iterator<Item = RawFd> {
    3..3_i32.saturating_add(i32::try_from(count).unwrap_or(i32::MAX))
}

/// A directory that is reached through no magic link, and that is inside: one of the host's, held open by a descriptor,
/// would be a way out (CVE-2024-21626).
fn enter_directory(path: &str) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?;
    rustix::process::fchdir(&directory)?;
    let here = rustix::process::getcwd(Vec::new())?;
    // The kernel writes `(unreachable)` before a path that isn't below this process's root.
    if here.to_bytes().starts_with(b"/") {
        Ok(())
    } else {
        Err(Errno::NOENT)
    }
}

pub(crate) fn lost(path: &str, error: Errno) -> Error {
    let (kind, why) = match error {
        Errno::NOENT => (Kind::NotFound, "no such file or directory"),
        Errno::ACCESS => (Kind::NotExecutable, "permission denied"),
        Errno::NOTDIR => (Kind::NotExecutable, "not a directory"),
        Errno::LOOP => (Kind::NotExecutable, "too many levels of symbolic links"),
        other => return Error::io("chdir to cwd", path, other),
    };
    Error::message(
        kind,
        format!("chdir to cwd ({path:?}) set in config.json failed: {why}"),
    )
}

fn new_keyring() -> Result<()> {
    match kernel::keyring::new_session(None) {
        Ok(_) => Ok(()),
        // Out of quota (200 keys a user), or a kernel or a filter without keyrings: runc's callers expect to go on.
        Err(e) if matches!(e.errno(), Errno::DQUOT | Errno::NOSYS | Errno::PERM) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
