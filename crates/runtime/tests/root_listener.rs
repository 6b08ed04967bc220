//! A listener that decides about system calls.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

use bundle::Bundle;
use spec::runtime::{Action, ContainerProcessState, Status, Syscall};

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

/// A container whose mkdir calls a listener decides about.
fn notified(script: &str) -> Bundle {
    let mut bundle = Bundle::new(script);
    let path = bundle.path().join("agent").display().to_string();
    let seccomp = bundle.linux().seccomp.as_mut().unwrap();
    seccomp.listener_path = path;
    seccomp.listener_metadata = "for whom".to_owned();
    seccomp.syscalls.insert(
        0,
        Syscall {
            names: vec!["mkdir".to_owned(), "mkdirat".to_owned()],
            action: Action::Notify,
            errno_ret: None,
            args: Vec::new(),
        },
    );
    bundle
}

/// Takes what is sent to one who listens at the bundle's socket, `count` times.
fn agent(bundle: &Bundle, count: usize) -> JoinHandle<Vec<(ContainerProcessState, OwnedFd)>> {
    let listener = UnixListener::bind(bundle.path().join("agent")).unwrap();
    std::thread::spawn(move || {
        (0..count)
            .map(|_| {
                let (stream, _) = listener.accept().unwrap();
                let mut text = vec![0; 1 << 16];
                let (length, mut fds) = kernel::socket::recv_with_fds(&stream, &mut text).unwrap();
                let state = serde_json::from_slice(&text[..length]).unwrap();
                assert_eq!(fds.len(), 1);
                (state, fds.pop().unwrap())
            })
            .collect()
    })
}

#[test]
fn a_listener_is_sent_the_descriptor_of_every_program() {
    sandboxed!();
    let script = "echo before; mkdir /made 2>&1; echo after";
    let bundle = notified(&format!("{script}; sleep 1000"));
    let told = agent(&bundle, 2);
    bundle.create().succeeds();
    bundle.call(&["start", &bundle.id]).succeeds();
    // It waits as long as the listener has its descriptor, and is refused when nobody has.
    assert_eq!(bundle.lines(1), "before\n");
    let mut command = bundle.command(&["exec", &bundle.id, "sh", "-c", script]);
    let exec = std::thread::spawn(move || command.output().unwrap());
    let told = told.join().unwrap();
    let pid = bundle.pid();
    assert_eq!(bundle.output(), "before\n");
    for (at, (state, _)) in told.iter().enumerate() {
        assert_eq!(state.fds, ["seccompFd"]);
        assert_eq!(state.metadata, "for whom");
        assert_eq!(state.state.id, bundle.id);
        assert_eq!(state.pid == pid, at == 0);
    }
    assert_eq!(told[0].0.state.status, Status::Creating);
    drop(told);
    let refused =
        "before\nmkdir: can't create directory '/made': Function not implemented\nafter\n";
    assert_eq!(
        String::from_utf8(exec.join().unwrap().stdout).unwrap(),
        refused
    );
    assert_eq!(bundle.lines(3), refused);
}

#[test]
fn a_listener_that_is_not_there_is_an_error() {
    sandboxed!();
    let bundle = notified("true");
    let error = bundle.run().fails(1);
    assert!(error.contains("seccomp listener"), "{error}");
    let mut bundle = notified("true");
    bundle
        .linux()
        .seccomp
        .as_mut()
        .unwrap()
        .listener_path
        .clear();
    let error = bundle.run().fails(1);
    assert!(error.contains("listenerPath"), "{error}");
    // The runtime itself writes after the filter is loaded.
    let mut bundle = notified("true");
    bundle.linux().seccomp.as_mut().unwrap().syscalls[0].names = vec!["write".to_owned()];
    let error = bundle.run().fails(1);
    assert!(error.contains("write"), "{error}");
}
