//! Mounts, roots and removals in namespaces of their own.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that can't go on has failed, and makes what the code under test finds"
)]

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use kernel::mount::{
    Attr, FsContext, Mount, Propagation, Recursive, set_propagation, unmount_detach,
    unmount_detach_fd,
};
use kernel::procfs::{ProcFs, Subset};
use kernel::root::RootDir;
use kernel::{Errno, mountinfo, oom, probe, pty, terminal, tree};
use rustix::fs::CWD;

fn tmpfs() -> Mount {
    let context = FsContext::new("tmpfs").unwrap();
    let context = context.string("size", "1m").string("mode", "0755");
    context
        .create()
        .unwrap()
        .mount(Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV)
        .unwrap()
}

fn mounted(path: &Path) -> Option<mountinfo::MountInfo> {
    mountinfo::read()
        .unwrap()
        .into_iter()
        .rev()
        .find(|mount| mount.mount_point == path)
}

#[test]
fn a_mount_from_its_making_to_its_end() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mount = tmpfs();
    let inside = RootDir::from_fd(mount.try_clone().unwrap().into_fd());
    inside.replace("file", b"content", 0o644).unwrap();
    assert!(mounted(dir.path()).is_none());

    // By descriptor, also on a file.
    let place = RootDir::open(dir.path()).unwrap();
    place.ensure_file("on-file", 0o644).unwrap();
    place.create_dir_all("on-dir", 0o755).unwrap();
    mount
        .attach(place.open_path("on-dir").unwrap(), "")
        .unwrap();
    let file = Mount::clone_tree(&inside, "file", Recursive::No).unwrap();
    file.attach(place.open_path("on-file").unwrap(), "")
        .unwrap();
    assert_eq!(fs::read(dir.path().join("on-file")).unwrap(), b"content");
    assert_eq!(
        fs::read(dir.path().join("on-dir/file")).unwrap(),
        b"content"
    );

    let path = dir.path().join("on-dir");
    let options = || mounted(&path).unwrap().options;
    assert_eq!(options(), "rw,nosuid,nodev,relatime");
    let read_only = Attr::MOUNT_ATTR_RDONLY | Attr::MOUNT_ATTR_NOATIME;
    mount
        .set_attr(read_only, Attr::MOUNT_ATTR_NODEV, None, Recursive::Yes)
        .unwrap();
    assert_eq!(options(), "ro,nosuid,noatime");
    mount
        .set_attr(
            Attr::empty(),
            Attr::empty(),
            Some(Propagation::Shared),
            Recursive::No,
        )
        .unwrap();
    assert_eq!(mounted(&path).unwrap().propagation.len(), 1);
    set_propagation(&path, Propagation::Private, Recursive::Yes).unwrap();
    assert!(mounted(&path).unwrap().propagation.is_empty());

    unmount_detach_fd(place.open_path("on-file").unwrap()).unwrap();
    unmount_detach(&path).unwrap();
    assert_eq!(unmount_detach(&path).unwrap_err().errno(), Errno::INVAL);
    assert!(mounted(&path).is_none());
}

#[test]
fn a_refusal_has_the_file_systems_own_words() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let error = FsContext::new("tmpfs")
        .unwrap()
        .string("size", "nonsense")
        .create()
        .unwrap_err();
    assert!(error.subject.contains("size"), "{error}");
    assert!(error.subject.contains('('), "{error}");
    assert_eq!(error.errno(), Errno::INVAL);
    let error = FsContext::new("no-such-fs").unwrap_err();
    assert_eq!(error.errno(), Errno::NODEV);
    assert!(!probe::has_file_system("no-such-fs").unwrap());
    assert!(probe::has_file_system("overlay").unwrap());
    assert!(probe::overlay_layers().is_ok());
}

#[test]
fn removal_does_not_cross_mounts() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("tree/a/mounted")).unwrap();
    fs::create_dir_all(path("host/kept")).unwrap();
    let bind = Mount::clone_tree(CWD, path("host"), Recursive::No).unwrap();
    bind.attach(CWD, path("tree/a/mounted")).unwrap();
    let root = RootDir::open(dir.path()).unwrap();
    let error = tree::remove(&root, "tree").unwrap_err();
    assert_eq!(error.errno(), Errno::XDEV);
    assert!(path("host/kept").is_dir());
    // The top itself.
    let error = tree::remove(root.open_path("tree/a").unwrap(), "mounted").unwrap_err();
    assert_eq!(error.errno(), Errno::XDEV);
    unmount_detach(path("tree/a/mounted")).unwrap();
    tree::remove(&root, "tree").unwrap();
    assert!(path("host/kept").is_dir() && !path("tree").exists());
}

#[test]
fn procfs_of_our_own() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    for subset in [Subset::Processes, Subset::All] {
        let proc = ProcFs::open(subset).unwrap();
        assert!(proc.read("self/status").unwrap().contains("Name:"));
        assert!(proc.read("self/root/etc/passwd").is_err());
        assert!(proc.read("self/fd/0").is_err());
        assert!(proc.read("../etc/passwd").is_err());
        assert_eq!(
            proc.read("sys/kernel/ostype").is_ok(),
            subset == Subset::All
        );
    }
    let proc = ProcFs::open(Subset::Processes).unwrap();
    let before: i32 = proc
        .read("self/oom_score_adj")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let higher = (before + 10).min(1000);
    assert_eq!(oom::set_score_adjustment(&proc, higher).unwrap(), higher);
    // Lowering needs a capability that this test may not have: either way it is no error.
    let now = oom::set_score_adjustment(&proc, -900).unwrap();
    assert!(now == -900 || now >= before, "{now}");
}

#[test]
fn terminals_of_one_instance() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let context = FsContext::new("devpts")
        .unwrap()
        .flag("newinstance")
        .string("ptmxmode", "0666");
    let devpts = context.create().unwrap().mount(Attr::empty()).unwrap();
    let pty = pty::open(devpts.as_fd()).unwrap();
    assert_eq!(pty.number, 0);
    assert!(terminal::is_terminal(&pty.slave));
    let size = terminal::Size {
        rows: 24,
        cols: 100,
    };
    terminal::set_size(&pty.master, size).unwrap();
    assert_eq!(terminal::size(&pty.slave).unwrap(), size);
    let raw = terminal::RawMode::enter(pty.slave.as_fd()).unwrap();
    rustix::io::write(&pty.master, b"a\x03").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(rustix::io::read(&pty.slave, &mut buffer).unwrap(), 2);
    drop(raw);
    rustix::io::write(&pty.master, b"b\r").unwrap();
    assert_eq!(rustix::io::read(&pty.slave, &mut buffer).unwrap(), 2);
    assert_eq!(&buffer[..2], b"b\n");
    // What is no devpts is refused.
    let other = tmpfs();
    let fake = RootDir::from_fd(other.try_clone().unwrap().into_fd());
    fake.replace("ptmx", b"", 0o666).unwrap();
    assert_eq!(pty::open(&other).unwrap_err().errno(), Errno::INVAL);
    assert!(pty.master.as_raw_fd() > 2);
}

#[test]
fn loopback() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let listen = || std::net::TcpListener::bind("127.0.0.1:0");
    let connect =
        |to: &std::net::TcpListener| std::net::TcpStream::connect(to.local_addr().unwrap());
    if let Ok(listener) = listen() {
        assert!(connect(&listener).is_err());
    }
    kernel::netlink::loopback_up().unwrap();
    kernel::netlink::loopback_up().unwrap();
    let listener = listen().unwrap();
    connect(&listener).unwrap();
}
