//! Unix sockets: descriptors that travel, who is at the other end, and addresses longer than `sun_path`.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::fs::{AtFlags, Mode, chmodat, unlinkat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    bind, connect, listen, recvmsg, sendmsg, socket_with, socketpair, sockopt,
};

use crate::error::At;
use crate::{Error, Pid, Result, atomic};

/// The most descriptors that one message carries: SCM_MAX_FD.
pub const MAX_FDS: usize = 253;

/// Sends bytes with descriptors; gives how many bytes went. The descriptors go with the first of them.
///
/// # Errors
/// sendmsg(2) failed; a broken connection is `EPIPE` and no signal.
pub fn send_with_fds(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize> {
    const OP: &str = "send to";
    if fds.len() > MAX_FDS || (!fds.is_empty() && bytes.is_empty()) {
        return Err(Error::invalid(
            OP,
            "socket",
            "descriptors need a byte, and are at most 253",
        ));
    }
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(fds.len()))];
    loop {
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        match sendmsg(
            &socket,
            &[IoSlice::new(bytes)],
            &mut control,
            SendFlags::NOSIGNAL,
        ) {
            Err(Errno::INTR) => {}
            result => return result.at(OP, "socket"),
        }
    }
}

/// Receives into `buffer`: how many bytes came (0 at the end), and the descriptors that came with them, close-on-exec.
///
/// # Errors
/// recvmsg(2) failed, or more than [`MAX_FDS`] descriptors came; they are then closed.
pub fn recv_with_fds(socket: impl AsFd, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>)> {
    const OP: &str = "receive from";
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    loop {
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut target = [IoSliceMut::new(buffer)];
        let got = match recvmsg(&socket, &mut target, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => continue,
            result => result.at(OP, "socket")?,
        };
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        if got.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Error::new(OP, "socket", Errno::MSGSIZE));
        }
        return Ok((got.bytes, fds));
    }
}

/// Two ends that keep the bounds of messages, and whose end the other one is told (`SOCK_SEQPACKET`).
///
/// # Errors
/// No descriptors are left.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .at("make", "socket pair")
}

/// Who connected, as the kernel saw it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its process, in our pid namespace.
    pub pid: Pid,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

/// SO_PEERCRED.
///
/// # Errors
/// Not a connected unix socket.
pub fn peer_cred(socket: impl AsFd) -> Result<Peer> {
    let cred = sockopt::socket_peercred(socket).at("read peer of", "socket")?;
    Ok(Peer {
        pid: cred.pid,
        uid: cred.uid.as_raw(),
        gid: cred.gid.as_raw(),
    })
}

/// Listens at `name` in the directory `dir`, with exactly `mode`; an old socket of that name is removed.
///
/// The address goes through `/proc/self/fd`, so that the directory's own path may be longer than the 108 bytes of an address. The directory should
/// not be enterable by others: for a moment the socket has the umask's mode.
///
/// # Errors
/// `name` is not a plain name, or a step failed.
pub fn listen_at(dir: impl AsFd, name: &str, mode: u32) -> Result<UnixListener> {
    const OP: &str = "listen at";
    let dir = dir.as_fd();
    let address = address(dir, name).at(OP, name)?;
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error).at(OP, name),
    }
    let socket = stream().at(OP, name)?;
    bind(&socket, &address).at(OP, name)?;
    chmodat(dir, name, Mode::from_raw_mode(mode), AtFlags::empty()).at(OP, name)?;
    listen(&socket, 128).at(OP, name)?;
    Ok(UnixListener::from(socket))
}

/// Connects to the socket `name` in the directory `dir`; see [`listen_at`].
///
/// # Errors
/// `ENOENT` or `ECONNREFUSED` if nobody listens.
pub fn connect_at(dir: impl AsFd, name: &str) -> Result<UnixStream> {
    const OP: &str = "connect to";
    let address = address(dir.as_fd(), name).at(OP, name)?;
    let socket = stream().at(OP, name)?;
    loop {
        match connect(&socket, &address) {
            Err(Errno::INTR) => {}
            result => {
                result.at(OP, name)?;
                return Ok(UnixStream::from(socket));
            }
        }
    }
}

fn stream() -> Result<OwnedFd, Errno> {
    socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
}

fn address(dir: BorrowedFd<'_>, name: &str) -> Result<SocketAddrUnix, Errno> {
    if !atomic::is_plain_name(name.as_ref()) {
        return Err(Errno::INVAL);
    }
    SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()))
}

#[cfg(test)]
mod tests;
