//! Processes, namespaces, rights and loop devices in the running kernel.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that can't go on has failed, and makes what the code under test finds"
)]

use std::io::Read;

use kernel::capability::{Cap, CapSet, Sets};
use kernel::loopdev::{DirectIo, LoopDevice};
use kernel::mount::{Attr, FsContext};
use kernel::namespace::{self, Kind};
use kernel::process::{self, Executable, ExitStatus, Spawn, clone3};
use kernel::{Errno, keyring, signal};

#[test]
fn a_copy_in_namespaces_of_its_own() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let kinds = [Kind::Pid, Kind::Uts, Kind::Ipc, Kind::Net, Kind::Mount];
    let (mut reader, writer) = std::io::pipe().unwrap();
    let flags = namespace::clone_flags(&kinds);
    // The child only makes system calls: this process has other threads.
    let Some((pid, pidfd)) = clone3(flags, None).unwrap() else {
        let first = rustix::process::getpid() == process::Pid::INIT;
        let _ = rustix::io::write(&writer, if first { b"1" } else { b"0" });
        loop {
            std::thread::park();
        }
    };
    let mut byte = [0];
    reader.read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"1");
    for kind in [Kind::Pid, Kind::Uts, Kind::Cgroup] {
        let theirs = namespace::id(namespace::open(Some(pid), kind).unwrap()).unwrap();
        let ours = namespace::id(namespace::open(None, kind).unwrap()).unwrap();
        assert_eq!(theirs == ours, kind == Kind::Cgroup, "{kind:?}");
    }
    // Joined by a thread: a user or mount namespace could not be, with others around.
    let other = pidfd.try_clone().unwrap();
    let joined = std::thread::spawn(move || {
        namespace::setns(&other, &[Kind::Uts, Kind::Net]).unwrap();
        let uts = std::fs::read_link("/proc/thread-self/ns/uts").unwrap();
        assert_eq!(
            uts,
            std::fs::read_link(format!("/proc/{}/ns/uts", pid.as_raw_nonzero())).unwrap()
        );
    });
    assert!(joined.join().is_ok());
    pidfd.signal(signal::SIGKILL).unwrap();
    assert_eq!(pidfd.wait().unwrap(), ExitStatus::Signaled(signal::SIGKILL));
    assert!(clone3(0x100, None).is_err(), "CLONE_VM is refused");
}

#[test]
fn a_copy_ends_at_once() {
    let Some((_, pidfd)) = clone3(0, None).unwrap() else {
        process::exit_now(7)
    };
    assert_eq!(pidfd.wait().unwrap(), ExitStatus::Exited(7));
}

#[test]
fn a_program_dies_with_the_thread_that_started_it() {
    let pidfd = std::thread::spawn(|| {
        let mut spawn = Spawn::new(Executable::Path("/bin/sleep".into()), ["sleep", "100"]);
        spawn.death_signal = Some(signal::SIGTERM);
        spawn.start().unwrap().pidfd
    });
    assert_eq!(
        pidfd.join().unwrap().wait().unwrap(),
        ExitStatus::Signaled(signal::SIGTERM)
    );
}

#[test]
fn rights_are_given_up() {
    if !testkit::sandbox::is_root() {
        return;
    }
    // Rights are a thread's.
    let thread = std::thread::spawn(|| {
        let chown = Cap::parse("CHOWN").unwrap();
        let kill = Cap::parse("KILL").unwrap();
        let two = CapSet::EMPTY.with(chown).with(kill);
        let wanted = Sets {
            bounding: two,
            effective: two,
            permitted: two,
            ..Sets::default()
        };
        wanted.apply_bounding().unwrap();
        wanted.apply().unwrap();
        assert_eq!(Sets::current().unwrap(), wanted);
        let ambient = Sets {
            inheritable: two,
            ambient: CapSet::EMPTY.with(kill),
            ..wanted
        };
        ambient.apply().unwrap();
        assert_eq!(Sets::current().unwrap(), ambient);
        wanted.apply().unwrap();
        let more = Sets {
            permitted: two.with(Cap::SYS_ADMIN),
            ..wanted
        };
        assert_eq!(more.apply().unwrap_err().errno(), Errno::PERM);
        assert!(!kernel::probe::has_capability(Cap::SYS_ADMIN).unwrap());
    });
    assert!(thread.join().is_ok());
}

#[test]
fn a_session_keyring_of_ones_own() {
    let thread = std::thread::spawn(|| {
        let one = keyring::new_session(None).unwrap();
        let two = keyring::new_session(None).unwrap();
        assert_ne!(one, two);
    });
    assert!(thread.join().is_ok());
    assert!(keyring::new_session(Some("a\0b")).is_err());
}

#[test]
fn a_file_as_a_device_that_frees_itself() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    if !std::path::Path::new("/dev/loop-control").exists() {
        return;
    }
    let image = tempfile::NamedTempFile::new().unwrap();
    let mut content = vec![0_u8; 64 * 1024];
    content[..5].copy_from_slice(b"hello");
    std::fs::write(image.path(), &content).unwrap();
    let path = {
        let device = LoopDevice::attach(&image, DirectIo::Try).unwrap();
        let mut start = [0; 5];
        std::fs::File::open(device.path())
            .unwrap()
            .read_exact(&mut start)
            .unwrap();
        assert_eq!(&start, b"hello");
        device.path().to_owned()
    };
    let backing = format!(
        "/sys/block/{}/loop/backing_file",
        path.file_name().unwrap().display()
    );
    let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while std::fs::read_to_string(&backing)
        .is_ok_and(|text| text.contains(image.path().to_str().unwrap()))
    {
        assert!(std::time::Instant::now() < end, "{backing} is still there");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn the_root_of_a_process_is_replaced() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let thread = std::thread::spawn(|| {
        // A thread with a file system context and mounts of its own.
        namespace::unshare(&[Kind::Mount]).unwrap();
        let tmpfs = FsContext::new("tmpfs")
            .unwrap()
            .create()
            .unwrap()
            .mount(Attr::empty())
            .unwrap();
        tmpfs.attach(rustix::fs::CWD, "/mnt").unwrap();
        kernel::mount::pivot_root(&tmpfs).unwrap();
        assert_eq!(std::fs::read_dir("/").unwrap().count(), 0);
        assert_eq!(std::env::current_dir().unwrap(), std::path::Path::new("/"));
    });
    assert!(thread.join().is_ok());
}
