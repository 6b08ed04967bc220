use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::{MAX_FDS, connect_at, listen_at, peer_cred, recv_with_fds, send_with_fds};
use crate::root::RootDir;
use crate::{Errno, memfd};

#[test]
fn descriptors_arrive_with_the_bytes() {
    let (a, b) = UnixStream::pair().unwrap();
    let file = memfd::sealed("test", b"content").unwrap();
    let fds = [file.as_fd(), file.as_fd()];
    assert_eq!(send_with_fds(&a, b"hello", &fds).unwrap(), 5);
    let mut buffer = [0; 16];
    let (count, fds) = recv_with_fds(&b, &mut buffer).unwrap();
    assert_eq!((&buffer[..count], fds.len()), (&b"hello"[..], 2));
    for fd in fds {
        let flags = rustix::io::fcntl_getfd(&fd).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        assert_eq!(memfd::read(&fd, 100).unwrap(), b"content");
        assert!(memfd::read(&fd, 6).is_err());
        assert!(File::from(fd).write(b"x").is_err());
    }
    drop(a);
    assert_eq!(recv_with_fds(&b, &mut buffer).unwrap().0, 0);
    assert_eq!(
        send_with_fds(&b, b"x", &[]).unwrap_err().errno(),
        Errno::PIPE
    );
}

#[test]
fn as_many_as_the_kernel_takes() {
    let (a, b) = UnixStream::pair().unwrap();
    let fds = vec![a.as_fd(); MAX_FDS];
    send_with_fds(&a, b"x", &fds).unwrap();
    assert_eq!(recv_with_fds(&b, &mut [0; 1]).unwrap().1.len(), MAX_FDS);
    assert!(send_with_fds(&a, b"x", &vec![a.as_fd(); MAX_FDS + 1]).is_err());
    assert!(send_with_fds(&a, b"", &[a.as_fd()]).is_err());
}

#[test]
fn addresses_longer_than_an_address() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("x".repeat(200));
    std::fs::create_dir(&long).unwrap();
    let root = RootDir::open(&long).unwrap();
    assert_eq!(connect_at(&root, "s").unwrap_err().errno(), Errno::NOENT);
    drop(listen_at(&root, "s", 0o600).unwrap());
    assert_eq!(
        connect_at(&root, "s").unwrap_err().errno(),
        Errno::CONNREFUSED
    );
    let listener = listen_at(&root, "s", 0o600).unwrap();
    assert_eq!(root.stat_nofollow("s").unwrap().st_mode & 0o777, 0o600);
    let mut client = connect_at(&root, "s").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"hi").unwrap();
    let mut buffer = [0; 2];
    server.read_exact(&mut buffer).unwrap();
    let peer = peer_cred(&server).unwrap();
    assert_eq!(peer.pid, rustix::process::getpid());
    assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
    assert!(listen_at(&root, "../s", 0o600).is_err());
}
