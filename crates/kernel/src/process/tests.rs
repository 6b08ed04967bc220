#![allow(
    clippy::disallowed_methods,
    reason = "the tests look at what the code under test made"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::{Executable, ExitStatus, PidFd, ProcessIdentity, Spawn};
use crate::{Errno, signal};

fn shell(script: &str) -> Spawn {
    Spawn::new(Executable::Path("/bin/sh".into()), ["sh", "-c", script])
}

/// Runs it with a pipe as its standard output, and gives what it wrote.
fn output(spawn: Spawn) -> (String, ExitStatus) {
    let (reader, writer) = std::io::pipe().unwrap();
    let child = spawn.fd(writer, 1).start().unwrap();
    let mut text = String::new();
    File::from(OwnedFd::from(reader))
        .read_to_string(&mut text)
        .unwrap();
    (text, child.wait().unwrap())
}

#[test]
fn a_program_has_only_what_it_was_given() {
    let leak = File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let script =
        "echo $A; env | grep -c =; ls /proc/self/fd; readlink /proc/self/fd/0 /proc/self/fd/2";
    let (text, status) = output(
        shell(script)
            .env("A", "one two")
            .env("PATH", "/usr/bin:/bin"),
    );
    assert!(status.success());
    let lines: Vec<_> = text.lines().collect();
    // The environment also has what the shell itself sets: PWD, and _ or SHLVL. 3 is the directory that ls reads.
    assert_eq!(lines[0], "one two");
    assert_eq!(
        &lines[2..],
        ["0", "1", "2", "3", "/dev/null", "/dev/null"],
        "{text}"
    );
}

#[test]
fn descriptors_change_places() {
    let pipe = || std::io::pipe().unwrap();
    let ((one_out, one_in), (two_out, two_in)) = (pipe(), pipe());
    let numbers = (
        std::os::fd::AsRawFd::as_raw_fd(&one_in),
        std::os::fd::AsRawFd::as_raw_fd(&two_in),
    );
    // Each gets the other's number.
    let script = format!("echo one >&{}; echo two >&{}", numbers.1, numbers.0);
    let script = format!("{script}; exec 9>&1; echo std >&9");
    let (three_out, three_in) = pipe();
    let child = Spawn::new(
        Executable::Path("/bin/bash".into()),
        ["bash", "-c", &script],
    )
    .fd(one_in, numbers.1)
    .fd(two_in, numbers.0)
    .fd(three_in, 1)
    .start()
    .unwrap();
    assert!(child.wait().unwrap().success());
    for (pipe, text) in [(one_out, "one\n"), (two_out, "two\n"), (three_out, "std\n")] {
        let mut read = String::new();
        File::from(OwnedFd::from(pipe))
            .read_to_string(&mut read)
            .unwrap();
        assert_eq!(read, text);
    }
}

#[test]
fn what_can_not_be_started_is_told() {
    let start = |path: &str| {
        let error = Spawn::new(Executable::Path(path.into()), ["x"])
            .start()
            .unwrap_err();
        (error.op, error.errno())
    };
    assert_eq!(start("/no/such/program"), ("execute", Errno::NOENT));
    assert_eq!(start("/etc/passwd"), ("execute", Errno::ACCESS));
    let mut wrong = shell("true");
    wrong.cwd = Some("/no/such/directory".into());
    let error = wrong.start().unwrap_err();
    assert_eq!(
        (error.op, error.errno()),
        ("change directory to", Errno::NOENT)
    );
    let null = || File::open("/dev/null").unwrap();
    assert!(shell("true").fd(null(), 4).fd(null(), 4).start().is_err());
    assert!(shell("true").fd(null(), -1).start().is_err());
    assert!(
        Spawn::new(Executable::Path("/bin/sh".into()), ["a\0b"])
            .start()
            .is_err()
    );
}

#[test]
fn by_descriptor_in_a_session_and_directory() {
    let program = File::open("/bin/sh").unwrap();
    let mut spawn = Spawn::new(
        Executable::Fd(program.into()),
        ["sh", "-c", "pwd; cut -d' ' -f1,6 /proc/self/stat; echo $$"],
    )
    .env("PATH", "/usr/bin:/bin");
    spawn.cwd = Some("/proc".into());
    spawn.setsid = true;
    let (text, status) = output(spawn);
    assert!(status.success(), "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "/proc");
    assert_eq!(lines[1].split(' ').nth(1), Some(lines[2]), "{text}");
}

#[test]
fn no_signal_is_blocked_or_ignored() {
    let thread = std::thread::spawn(|| {
        signal::block(&[signal::SIGTERM, signal::SIGUSR1]).unwrap();
        // The test harness itself ignores SIGPIPE.
        output(shell("grep -E 'Sig(Blk|Ign)' /proc/self/status").env("PATH", "/bin:/usr/bin")).0
    });
    let text = thread.join().unwrap();
    for line in text.lines() {
        assert!(line.ends_with("\t0000000000000000"), "{text}");
    }
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn waiting_and_killing() {
    let child = shell("sleep 100").start().unwrap();
    assert!(!child.pidfd.has_ended().unwrap());
    assert_eq!(child.pidfd.try_wait().unwrap(), None);
    assert!(!child.pidfd.wait_end(Duration::from_millis(1)).unwrap());
    let identity = ProcessIdentity::of(child.pid).unwrap();
    assert!(identity.is_alive().unwrap());
    let another = ProcessIdentity {
        start_time: identity.start_time + 1,
        ..identity.clone()
    };
    assert!(another.open().unwrap().is_none());
    let before = ProcessIdentity {
        boot_id: "x".to_owned(),
        ..identity.clone()
    };
    assert!(before.open().unwrap().is_none());
    child.pidfd.signal(signal::SIGKILL).unwrap();
    assert!(child.pidfd.wait_end(Duration::from_secs(10)).unwrap());
    assert!(!identity.is_alive().unwrap());
    assert_eq!(child.wait().unwrap(), ExitStatus::Signaled(9));
    assert!(identity.open().unwrap().is_none());
    assert_eq!(child.pidfd.signal(0).unwrap_err().errno(), Errno::SRCH);
    assert_eq!(shell("exit 7").start().unwrap().wait().unwrap().code(), 7);
}

#[test]
fn many_at_once_from_many_threads() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..50 {
                    let (text, status) = output(shell(&format!("echo {number}")));
                    assert_eq!(
                        (text, status),
                        (format!("{number}\n"), ExitStatus::Exited(0))
                    );
                }
            });
        }
    });
}

#[test]
fn ourselves() {
    let current = ProcessIdentity::current().unwrap();
    assert!(current.is_alive().unwrap());
    assert!(
        PidFd::open(current.pid)
            .unwrap()
            .wait_end(Duration::ZERO)
            .is_ok_and(|ended| !ended)
    );
    std::io::stdout().flush().unwrap();
}
