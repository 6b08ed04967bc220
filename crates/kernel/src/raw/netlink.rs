//! Options of netlink sockets.

use super::{AsRawFd, BorrowedFd, check, io};

pub(crate) const ADD_MEMBERSHIP: libc::c_int = libc::NETLINK_ADD_MEMBERSHIP;
pub(crate) const CAP_ACK: libc::c_int = libc::NETLINK_CAP_ACK;
pub(crate) const EXT_ACK: libc::c_int = libc::NETLINK_EXT_ACK;
pub(crate) const GET_STRICT_CHK: libc::c_int = 12;

/// setsockopt(2) at SOL_NETLINK, with an integer.
pub(crate) fn set(socket: BorrowedFd<'_>, option: libc::c_int, value: u32) -> io::Result<()> {
    let size = size_of::<u32>() as libc::socklen_t;
    let value = (&raw const value).cast();
    // SAFETY: the kernel reads one integer, which lives through the call.
    let set =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_NETLINK, option, value, size) };
    check(set.into())?;
    Ok(())
}
