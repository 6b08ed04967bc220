//! Network interfaces of the calling thread's network namespace.

use std::os::fd::AsFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::error::At;
use crate::{Result, raw};

/// Brings `lo` up, which gives it its addresses 127.0.0.1 and ::1.
///
/// # Errors
/// No right to administer the namespace.
pub fn loopback_up() -> Result<()> {
    const OP: &str = "bring up interface";
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    );
    let socket = socket.at(OP, "lo")?;
    raw::device::raise_loopback(socket.as_fd()).at(OP, "lo")
}
