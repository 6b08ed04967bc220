//! ioctl(2) on loop devices and network interfaces.

use super::{AsRawFd, BorrowedFd, check, io};

const LOOP_CONFIGURE: libc::Ioctl = 0x4C0A;
const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4C82;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
const LO_FLAGS_DIRECT_IO: u32 = 16;

/// `struct loop_info64` of linux/loop.h.
#[repr(C)]
struct LoopInfo {
    numbers: [u64; 3],
    offset: u64,
    size_limit: u64,
    number: u32,
    encryption: [u32; 2],
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config` of linux/loop.h.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// LOOP_CTL_GET_FREE on `/dev/loop-control`: the number of a device that is free now.
pub(crate) fn free_loop(control: BorrowedFd<'_>) -> io::Result<i32> {
    // SAFETY: the request takes no argument.
    Ok(check(unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) }.into())? as i32)
}

/// LOOP_CONFIGURE (Linux 5.8), read-only, and with LO_FLAGS_AUTOCLEAR: the device is free again when its last user closes it.
pub(crate) fn configure_loop(
    device: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    direct: bool,
) -> io::Result<()> {
    // SAFETY: a plain C struct of integers, for which all zeroes is a value.
    let mut config: LoopConfig = unsafe { std::mem::zeroed() };
    config.fd = file.as_raw_fd() as u32;
    config.info.flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
    if direct {
        config.info.flags |= LO_FLAGS_DIRECT_IO;
    }
    // SAFETY: the kernel reads one loop_config, which lives through the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) }.into())?;
    Ok(())
}

/// SIOCGIFFLAGS, then SIOCSIFFLAGS with IFF_UP, for `lo`, on any socket of its namespace.
pub(crate) fn raise_loopback(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a plain C struct for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    let fd = socket.as_raw_fd();
    // SAFETY: the kernel reads the name and writes the flags of one ifreq, which lives through the call.
    check(unsafe { libc::ioctl(fd, libc::SIOCGIFFLAGS, &raw mut request) }.into())?;
    // SAFETY: the flags are the member that the call has just written.
    unsafe { request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short };
    // SAFETY: the kernel reads one ifreq.
    check(unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS, &raw const request) }.into())?;
    Ok(())
}
