//! Masks, dispositions and signalfd(2).

use super::{AsRawFd, BorrowedFd, OwnedFd, check, io, own};

/// A set of signals.
#[derive(Clone, Copy)]
pub(crate) struct Set(pub(crate) libc::sigset_t);

impl Set {
    pub(crate) fn of(signals: &[i32]) -> io::Result<Self> {
        let mut set = Self::empty();
        for &signal in signals {
            // SAFETY: sigaddset changes the set that it is given, which is initialised.
            check(unsafe { libc::sigaddset(&raw mut set.0, signal) }.into())?;
        }
        Ok(set)
    }

    pub(crate) fn empty() -> Self {
        // SAFETY: sigset_t is a plain array of integers, for which all zeroes is the empty set.
        Self(unsafe { std::mem::zeroed() })
    }

    pub(crate) fn full() -> Self {
        let mut set = Self::empty();
        // SAFETY: sigfillset writes the set that it is given.
        unsafe { libc::sigfillset(&raw mut set.0) };
        set
    }
}

/// pthread_sigmask: `how` is SIG_BLOCK, SIG_UNBLOCK or SIG_SETMASK. Gives the mask as it was.
pub(crate) fn mask(how: libc::c_int, set: &Set) -> io::Result<Set> {
    let mut old = Set::empty();
    // SAFETY: reads one set, writes another; both live through the call.
    let error = unsafe { libc::pthread_sigmask(how, &raw const set.0, &raw mut old.0) };
    if error == 0 {
        Ok(old)
    } else {
        Err(io::Error::from_raw_os_error(error))
    }
}

/// rt_sigaction(2) with SIG_DFL or SIG_IGN only: no handler of ours ever runs. Made directly, because libc refuses its own two signals, which a parent may have
/// ignored. Async-signal-safe.
pub(crate) fn set_disposition(signal: i32, ignore: bool) -> io::Result<()> {
    // The kernel's struct sigaction: handler, flags, restorer, mask.
    let handler = if ignore { libc::SIG_IGN } else { libc::SIG_DFL };
    let action: [u64; 4] = [handler as u64, 0, 0, 0];
    let none = std::ptr::null_mut::<u64>();
    // SAFETY: the kernel reads one struct sigaction with a mask of 8 bytes. SIG_IGN and SIG_DFL are not addresses of code.
    check(unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), none, 8) })?;
    Ok(())
}

/// signalfd(2): non-blocking, close-on-exec.
pub(crate) fn signalfd(set: &Set) -> io::Result<OwnedFd> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: reads one set, which lives through the call.
    let fd = check(unsafe { libc::signalfd(-1, &raw const set.0, flags) }.into())?;
    // SAFETY: the kernel just made it.
    Ok(unsafe { own(fd) })
}

/// One record from a signalfd: signal, sender's pid, status.
pub(crate) fn read_signalfd(fd: BorrowedFd<'_>) -> io::Result<(u32, u32, i32)> {
    // SAFETY: signalfd_siginfo is a plain C struct of integers.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the buffer is `info`, of the size given; signalfd(2) writes whole records only.
    let got = unsafe { libc::read(fd.as_raw_fd(), (&raw mut info).cast(), size) };
    check(got as libc::c_long)?;
    if got as usize != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((info.ssi_signo, info.ssi_pid, info.ssi_status))
}

/// pidfd_send_signal(2) (Linux 5.1) with any number, real-time ones too; 0 probes.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: integers, and a null siginfo as the call allows.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            no_info,
            0,
        )
    })?;
    Ok(())
}

/// kill(2).
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: two integers.
    check(unsafe { libc::kill(pid, signal) }.into())?;
    Ok(())
}
