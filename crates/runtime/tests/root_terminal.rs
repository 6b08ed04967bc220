//! Terminals of containers.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use bundle::Bundle;
use spec::runtime::ConsoleSize;

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

/// The master of the terminal that is sent to `listener`.
fn receive(listener: &UnixListener) -> File {
    let (stream, _) = listener.accept().unwrap();
    let mut buffer = [0; 64];
    let (_, mut fds) = kernel::socket::recv_with_fds(&stream, &mut buffer).unwrap();
    File::from(fds.pop().unwrap())
}

fn read_until(master: &mut File, text: &str) -> String {
    let mut shown = String::new();
    let mut buffer = [0; 1024];
    while !shown.contains(text) {
        let Ok(length @ 1..) = master.read(&mut buffer) else {
            break;
        };
        shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    assert!(shown.contains(text), "{shown}");
    shown
}

#[test]
fn the_terminal_is_sent_and_is_the_console() {
    sandboxed!();
    let mut bundle =
        Bundle::new("tty; stty size; ls -l /dev/console; read x; echo got $x; sleep 1000");
    bundle.process().terminal = true;
    bundle.process().console_size = Some(ConsoleSize {
        height: 33,
        width: 99,
    });
    bundle.write_config();
    bundle.create().fails(1);
    let socket = bundle.path().join("console.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let (path, socket) = (bundle.path().to_str().unwrap(), socket.to_str().unwrap());
    bundle
        .call(&["create", "-b", path, "--console-socket", socket, &bundle.id])
        .succeeds();
    let mut master = receive(&listener);
    bundle.call(&["start", &bundle.id]).succeeds();
    master.write_all(b"typed\n").unwrap();
    let shown = read_until(&mut master, "got typed");
    assert!(
        shown.contains("/dev/pts/0") || shown.contains("/dev/console"),
        "{shown}"
    );
    assert!(shown.contains("33 99"), "{shown}");
    assert!(shown.contains("crw"), "{shown}");

    // An exec's terminal, with a user of its own.
    bundle
        .call(&[
            "exec",
            "-d",
            "-t",
            "-u",
            "web",
            "--console-socket",
            socket,
            &bundle.id,
            "sh",
            "-c",
            "tty; id -u; stat -c %u $(tty); sleep 1000",
        ])
        .succeeds();
    let mut second = receive(&listener);
    let shown = read_until(&mut second, "33\r\n33\r\n");
    assert!(shown.contains("/dev/pts/1"), "{shown}");
    // The controlling one: it can be interrupted.
    second.write_all(&[3]).unwrap();
    let mut rest = Vec::new();
    // The end of the last user reads as an error.
    drop(second.read_to_end(&mut rest));
}

#[test]
fn a_terminal_in_the_foreground_is_relayed() {
    sandboxed!();
    let mut bundle = Bundle::new("stty size; read x; echo got $x; exit 4");
    bundle.process().terminal = true;
    bundle.write_config();
    let path = bundle.path().to_str().unwrap();
    let command = bundle.command(&["run", "-b", path, &bundle.id]);
    let mut terminal = testkit::Terminal::spawn(command).unwrap();
    terminal.expect("24 80");
    terminal.send("word\r");
    terminal.expect("got word");
    assert_eq!(terminal.wait().code(), Some(4));
}

#[test]
fn dev_pts_that_is_something_else_is_refused() {
    sandboxed!();
    let mut bundle = Bundle::new("true");
    bundle.process().terminal = true;
    bundle.spec.mounts.retain(|m| m.destination != "/dev/pts");
    let volume = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/proc/sysrq-trigger", volume.path().join("ptmx")).unwrap();
    bundle.spec.mounts.push(spec::runtime::Mount {
        source: volume.path().to_str().unwrap().to_owned(),
        ..spec::profile::mount("/dev/pts", "bind", &["bind"])
    });
    bundle.write_config();
    let path = bundle.path().to_str().unwrap();
    let error = bundle.call(&["run", "-b", path, &bundle.id]).fails(1);
    assert!(error.contains("devpts"), "{error}");
}
