//! keyctl(2).

use super::{CStr, check, io};

/// KEYCTL_JOIN_SESSION_KEYRING: a new one for `None`, else the one of that name, made if it does not exist.
pub(crate) fn join_session(name: Option<&CStr>) -> io::Result<i32> {
    let name = name.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: a NUL-terminated string that outlives the call, or null as the call allows.
    let serial =
        check(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name) })?;
    Ok(serial as i32)
}
