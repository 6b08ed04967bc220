//! Signals: by number, as they come from users and go to containers, real-time ones too.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use crate::error::At;
use crate::{Error, Pid, Result, raw};

pub use libc::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSTOP, SIGTERM, SIGTTIN,
    SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH,
};

const NAMES: [(i32, &str); 31] = [
    (libc::SIGHUP, "HUP"),
    (libc::SIGINT, "INT"),
    (libc::SIGQUIT, "QUIT"),
    (libc::SIGILL, "ILL"),
    (libc::SIGTRAP, "TRAP"),
    (libc::SIGABRT, "ABRT"),
    (libc::SIGBUS, "BUS"),
    (libc::SIGFPE, "FPE"),
    (libc::SIGKILL, "KILL"),
    (libc::SIGUSR1, "USR1"),
    (libc::SIGSEGV, "SEGV"),
    (libc::SIGUSR2, "USR2"),
    (libc::SIGPIPE, "PIPE"),
    (libc::SIGALRM, "ALRM"),
    (libc::SIGTERM, "TERM"),
    (libc::SIGSTKFLT, "STKFLT"),
    (libc::SIGCHLD, "CHLD"),
    (libc::SIGCONT, "CONT"),
    (libc::SIGSTOP, "STOP"),
    (libc::SIGTSTP, "TSTP"),
    (libc::SIGTTIN, "TTIN"),
    (libc::SIGTTOU, "TTOU"),
    (libc::SIGURG, "URG"),
    (libc::SIGXCPU, "XCPU"),
    (libc::SIGXFSZ, "XFSZ"),
    (libc::SIGVTALRM, "VTALRM"),
    (libc::SIGPROF, "PROF"),
    (libc::SIGWINCH, "WINCH"),
    (libc::SIGIO, "IO"),
    (libc::SIGPWR, "PWR"),
    (libc::SIGSYS, "SYS"),
];

const ALIASES: [(i32, &str); 4] = [
    (libc::SIGABRT, "IOT"),
    (libc::SIGCHLD, "CLD"),
    (libc::SIGIO, "POLL"),
    (libc::SIGSYS, "UNUSED"),
];

/// The first and last real-time signal, as libc counts them: the kernel's first two are its own.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// The number of a signal named `TERM`, `SIGTERM`, `sigterm`, `15`, `RTMIN`, `RTMIN+3` or `RTMAX-2`.
#[must_use]
pub fn parse(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=RTMAX).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let named = NAMES
        .iter()
        .chain(&ALIASES)
        .find(|(_, known)| *known == name);
    if let Some((number, _)) = named {
        return Some(*number);
    }
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => RTMIN,
        (_, Some("")) => RTMAX,
        (Some(rest), _) => RTMIN + rest.strip_prefix('+')?.parse::<u8>().map(i32::from).ok()?,
        (_, Some(rest)) => RTMAX - rest.strip_prefix('-')?.parse::<u8>().map(i32::from).ok()?,
        (None, None) => return None,
    };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

/// The name of a signal without `SIG`; `RTMIN+3` for real-time ones. `None` if there is no such signal.
#[must_use]
pub fn name(signal: i32) -> Option<String> {
    if let Some((_, name)) = NAMES.iter().find(|(number, _)| *number == signal) {
        return Some((*name).to_owned());
    }
    match signal {
        RTMIN => Some("RTMIN".to_owned()),
        RTMAX => Some("RTMAX".to_owned()),
        _ if (RTMIN..RTMAX).contains(&signal) => Some(format!("RTMIN+{}", signal - RTMIN)),
        _ => None,
    }
}

/// Blocks `signals` in the calling thread, and in what it starts by [`crate::process::clone3`].
///
/// # Errors
/// A number is not a signal's.
pub fn block(signals: &[i32]) -> Result<()> {
    let set = raw::signal::Set::of(signals).at("block", "signals")?;
    raw::signal::mask(libc::SIG_BLOCK, &set).at("block", "signals")?;
    Ok(())
}

/// Lets `signals` through again in the calling thread.
///
/// # Errors
/// A number is not a signal's.
pub fn unblock(signals: &[i32]) -> Result<()> {
    let set = raw::signal::Set::of(signals).at("unblock", "signals")?;
    raw::signal::mask(libc::SIG_UNBLOCK, &set).at("unblock", "signals")?;
    Ok(())
}

/// Ignores `signal` in the whole process.
///
/// # Errors
/// It can't be ignored.
pub fn ignore(signal: i32) -> Result<()> {
    raw::signal::set_disposition(signal, true).at("ignore signal", signal)
}

/// Every disposition back to its default and no signal blocked, as a program expects to be started.
///
/// # Errors
/// The mask can't be set.
pub fn reset() -> Result<()> {
    for signal in 1..=RTMAX {
        // KILL, STOP and libc's own two can't be changed.
        drop(raw::signal::set_disposition(signal, false));
    }
    let none = raw::signal::Set::empty();
    raw::signal::mask(libc::SIG_SETMASK, &none).at("unblock", "signals")?;
    Ok(())
}

/// Sends `signal` to a process that is known to be a living child of the caller; all others go by
/// [`crate::process::PidFd::signal`].
///
/// # Errors
/// No such process, or no right.
pub fn kill(pid: Pid, signal: i32) -> Result<()> {
    let pid = pid.as_raw_nonzero().get();
    raw::signal::kill(pid, signal).at("signal process", pid)
}

/// A signal that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number.
    pub signal: i32,
    /// Who sent it, or for `SIGCHLD` whose end it tells; `None` for the kernel or a process outside our namespace.
    pub pid: Option<Pid>,
}

/// Signals as a descriptor that becomes readable.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Blocks `signals` in the calling thread and receives them here instead. To be made before any other thread.
    ///
    /// # Errors
    /// A number is not a signal's, or no descriptors are left.
    pub fn new(signals: &[i32]) -> Result<Self> {
        let set = raw::signal::Set::of(signals).at("receive", "signals")?;
        block(signals)?;
        Ok(Self(raw::signal::signalfd(&set).at("receive", "signals")?))
    }

    /// The next signal that came; `None` if none did. Equal ones that came before they were read are one.
    ///
    /// # Errors
    /// read(2) failed.
    pub fn read(&self) -> Result<Option<Received>> {
        loop {
            match raw::signal::read_signalfd(self.0.as_fd()) {
                Ok((signal, pid, _)) => {
                    let signal = i32::try_from(signal)
                        .map_err(|_| Error::new("receive", "signal", Errno::INVAL))?;
                    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
                    return Ok(Some(Received { signal, pid }));
                }
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN) => return Ok(None),
                    Some(Errno::INTR) => {}
                    _ => return Err(error).at("receive", "signal"),
                },
            }
        }
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests;
