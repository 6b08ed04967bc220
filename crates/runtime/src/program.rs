//! The container's program: where it is, and becoming it.

use std::ffi::CString;

use rustix::fs::{Access, AtFlags, CWD, FileType};
use rustix::io::Errno;

use crate::error::{Error, Kind, Result};

/// Arguments and environment as execve(2) takes them.
pub(crate) fn strings(what: &'static str, texts: &[String]) -> Result<Vec<CString>> {
    texts
        .iter()
        .map(|t| {
            CString::new(t.as_str())
                .map_err(|_| Error::invalid(what, t.escape_default().to_string()))
        })
        .collect()
}

/// Finds `name` as the calling process sees it: in the container's root, with the container's ids and search path.
pub(crate) fn look_up(name: &str, env: &[String]) -> Result<CString> {
    let refused = |kind, why: &str| Err(Error::message(kind, format!("exec: {name:?}: {why}")));
    if name.contains('/') {
        return match executable(name) {
            Ok(()) => path(name),
            Err(Errno::NOENT) => refused(
                Kind::NotFound,
                &format!("stat {name}: no such file or directory"),
            ),
            Err(Errno::NOTDIR) => refused(
                Kind::NotExecutable,
                &format!("stat {name}: not a directory"),
            ),
            Err(Errno::LOOP) => refused(
                Kind::NotExecutable,
                &format!("stat {name}: too many levels of symbolic links"),
            ),
            Err(_) => refused(Kind::NotExecutable, "permission denied"),
        };
    }
    // The last one wins, as with the C library's setenv.
    let search = env.iter().rev().find_map(|v| v.strip_prefix("PATH="));
    for directory in search.unwrap_or(spec::profile::PATH).split(':') {
        // An empty part is the current directory, which Go's callers of exec refuse to run from, too.
        if !directory.starts_with('/') || name.is_empty() {
            continue;
        }
        let candidate = format!("{}/{name}", directory.trim_end_matches('/'));
        if executable(&candidate).is_ok() {
            return path(&candidate);
        }
    }
    refused(Kind::NotFound, "executable file not found in $PATH")
}

fn path(text: &str) -> Result<CString> {
    CString::new(text)
        .map_err(|_| Error::invalid("read program", text.escape_default().to_string()))
}

fn executable(path: &str) -> rustix::io::Result<()> {
    let stat = rustix::fs::stat(path)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Err(Errno::ACCESS);
    }
    match rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) {
        // Kernels before 5.8 have no faccessat2: execve will tell.
        Err(Errno::NOSYS) => Ok(()),
        other => other,
    }
}

/// What execve(2) said of `path`.
pub(crate) fn refusal(path: &CString, errno: Errno) -> Error {
    let path = path.to_string_lossy();
    let (kind, why) = match errno {
        // The program was there: what is missing is its interpreter.
        Errno::NOENT => (Kind::NotFound, "no such file or directory"),
        Errno::NOEXEC => (Kind::NotExecutable, "exec format error"),
        Errno::ACCESS => (Kind::NotExecutable, "permission denied"),
        Errno::PERM => (Kind::NotExecutable, "operation not permitted"),
        Errno::TXTBSY => (Kind::NotExecutable, "text file busy"),
        Errno::NOTDIR => (Kind::NotExecutable, "not a directory"),
        Errno::TOOBIG => (Kind::NotExecutable, "argument list too long"),
        other => return Error::io("exec", path, other),
    };
    Error::message(kind, format!("exec {path}: {why}"))
}

#[cfg(test)]
mod tests;
