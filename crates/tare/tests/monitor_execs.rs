//! Programs that run in a container besides its first.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod monitored;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use monitored::{Bench, process};
use protocol::message::ExecStatus;
use protocol::{Connection, ExecId, Kind, Process, Refusal, Reply, Request};

fn create(bench: &Bench, process: Process) -> ExecId {
    let id = ExecId::new(&bench.id, kernel::random::bytes().unwrap());
    let request = Request::ExecCreate {
        id: id.clone(),
        process,
    };
    assert_eq!(bench.call(&request), Reply::ExecCreated);
    id
}

fn inspect(bench: &Bench, id: &ExecId) -> ExecStatus {
    match bench.call(&Request::ExecInspect { id: id.clone() }) {
        Reply::Exec(info) => info.status,
        other => panic!("{other:?}"),
    }
}

fn start(id: &ExecId) -> Request {
    Request::ExecStart {
        id: id.clone(),
        rows: 20,
        cols: 60,
    }
}

/// Starts an exec with pipes: the connection, its input, output and errors.
fn start_with_pipes(bench: &Bench, id: &ExecId) -> (Connection, [File; 3]) {
    let (input, write) = std::io::pipe().unwrap();
    let (read, output) = std::io::pipe().unwrap();
    let (read_errors, errors) = std::io::pipe().unwrap();
    let mut connection = bench.connect();
    let fds = [input.as_fd(), output.as_fd(), errors.as_fd()];
    let (reply, _) = connection.call(&start(id), &fds).unwrap();
    assert!(matches!(reply, Reply::ExecStarted { .. }), "{reply:?}");
    let files: [std::os::fd::OwnedFd; 3] = [write.into(), read.into(), read_errors.into()];
    (connection, files.map(File::from))
}

fn text(mut file: File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

fn kill(bench: &Bench) {
    bench.call(&Request::Signal {
        signal: 9,
        exec: None,
    });
}

#[test]
fn an_exec_has_pipes_and_an_exit_code() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.script("touch /tmp/here; sleep 1000"));
    let here = bench.root().join("tmp/here");
    bench.until("touch", || here.exists());
    let script = "read x; echo $x $COLOUR; ls /tmp; pwd; echo bad >&2; exit 9";
    let id = create(&bench, process(&["sh", "-c", script]));
    assert_eq!(inspect(&bench, &id), ExecStatus::Created);
    let (mut connection, [mut input, output, errors]) = start_with_pipes(&bench, &id);
    assert!(matches!(inspect(&bench, &id), ExecStatus::Running { .. }));
    input.write_all(b"typed\n").unwrap();
    let (reply, _) = connection.receive().unwrap();
    assert_eq!(reply, Reply::ExecExited { code: 9 });
    assert_eq!(text(output), "typed blue\nhere\n/\n");
    assert_eq!(text(errors), "bad\n");
    assert_eq!(inspect(&bench, &id), ExecStatus::Exited { code: 9 });
    let again = bench.connect().call(&start(&id), &[]).unwrap_err();
    assert_eq!(again.kind, Kind::Refused(Refusal::Conflict));
    kill(&bench);
}

#[test]
fn an_exec_has_a_terminal() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.command(&["sleep", "1000"]));
    let mut wanted = process(&["sh", "-c", "stty size; read x; stty size; exit 2"]);
    wanted.tty = true;
    let id = create(&bench, wanted);
    let mut connection = bench.connect();
    let (reply, mut fds) = connection.call(&start(&id), &[]).unwrap();
    assert!(matches!(reply, Reply::ExecStarted { .. }));
    let mut master = File::from(fds.pop().unwrap());
    let mut shown = read_until(&mut master, "20 60\r\n");
    let resize = Request::Resize {
        rows: 21,
        cols: 61,
        exec: Some(id.clone()),
    };
    assert_eq!(bench.call(&resize), Reply::Done);
    master.write_all(b"go\n").unwrap();
    shown.push_str(&read_until(&mut master, "21 61\r\n"));
    let (reply, _) = connection.receive().unwrap();
    assert_eq!(reply, Reply::ExecExited { code: 2 }, "{shown}");
    kill(&bench);
}

fn read_until(master: &mut File, text: &str) -> String {
    let mut shown = String::new();
    let mut buffer = [0; 1024];
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !shown.contains(text) {
        assert!(std::time::Instant::now() < end, "{shown:?}");
        match master.read(&mut buffer) {
            Ok(n) => shown.push_str(&String::from_utf8_lossy(&buffer[..n])),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            Err(e) => panic!("{e}: {shown:?}"),
        }
    }
    shown
}

#[test]
fn a_forsaken_exec_runs_on() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.command(&["sleep", "1000"]));
    // More than a terminal holds: if nobody read it, the exec would stop.
    let mut wanted = process(&["sh", "-c", "seq 20000; exit 3"]);
    wanted.tty = true;
    let id = create(&bench, wanted);
    let (reply, fds) = bench.connect().call(&start(&id), &[]).unwrap();
    assert!(matches!(reply, Reply::ExecStarted { .. }));
    drop(fds);
    bench.until("it ends", || {
        inspect(&bench, &id) == ExecStatus::Exited { code: 3 }
    });
    kill(&bench);
}

#[test]
fn an_exec_is_signalled() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.command(&["sleep", "1000"]));
    let id = create(&bench, process(&["sleep", "1000"]));
    let (mut connection, _pipes) = start_with_pipes(&bench, &id);
    let request = Request::Signal {
        signal: 15,
        exec: Some(id),
    };
    assert_eq!(bench.call(&request), Reply::Done);
    let (reply, _) = connection.receive().unwrap();
    assert_eq!(reply, Reply::ExecExited { code: 143 });
    kill(&bench);
}

#[test]
fn execs_end_with_the_container() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.command(&["sleep", "1000"]));
    let id = create(&bench, process(&["sleep", "1000"]));
    let (mut connection, _pipes) = start_with_pipes(&bench, &id);
    kill(&bench);
    let (reply, _) = connection.receive().unwrap();
    assert_eq!(reply, Reply::ExecExited { code: 137 });
    assert_eq!(bench.wait().code, 137);
}

#[test]
fn an_exec_can_do_no_more_than_the_container() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let question = "grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status";
    bench.start(&bench.script(&format!("{question}; sleep 1000")));
    bench.until_said("Seccomp:");
    let own = bench.text(protocol::log::Stream::Stdout);
    assert!(own.contains("Seccomp:\t2"), "{own}");

    let id = create(&bench, process(&["sh", "-c", question]));
    let (_connection, [_, output, _]) = start_with_pipes(&bench, &id);
    assert_eq!(text(output), own);

    let mut wanted = process(&["sh", "-c", &format!("id -u; pwd; {question}")]);
    wanted.user = Some("app".to_owned());
    wanted.cwd = Some("/home/app".to_owned());
    let id = create(&bench, wanted);
    let (_connection, [_, output, _]) = start_with_pipes(&bench, &id);
    let text_of_app = text(output);
    assert!(
        text_of_app.starts_with("1000\n/home/app\n"),
        "{text_of_app}"
    );
    assert!(
        text_of_app.contains("CapEff:\t0000000000000000"),
        "{text_of_app}"
    );

    let mut wanted = process(&["sh", "-c", question]);
    wanted.privileged = true;
    let id = create(&bench, wanted);
    let (_connection, [_, output, _]) = start_with_pipes(&bench, &id);
    let privileged = text(output);
    assert!(
        privileged.contains("Seccomp:\t0") && privileged != own,
        "{privileged}"
    );
    kill(&bench);
}

#[test]
fn what_cannot_run_is_refused() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.command(&["sleep", "1000"]));
    let null = File::open("/dev/null").unwrap();
    let three = [null.as_fd(), null.as_fd(), null.as_fd()];
    for (program, kind, code) in [
        ("no-such", Refusal::NoProgram, 127),
        ("/etc/plain", Refusal::NotExecutable, 126),
    ] {
        let id = create(&bench, process(&[program]));
        let error = bench.connect().call(&start(&id), &three).unwrap_err();
        assert_eq!(error.kind, Kind::Refused(kind), "{error}");
        assert_eq!(inspect(&bench, &id), ExecStatus::Exited { code });
    }
    let id = create(&bench, process(&["true"]));
    let error = bench.connect().call(&start(&id), &[]).unwrap_err();
    assert_eq!(error.kind, Kind::Refused(Refusal::Invalid));
    let unknown = ExecId::new(&bench.id, [9; 16]);
    let error = bench.connect().call(&start(&unknown), &three).unwrap_err();
    assert_eq!(error.kind, Kind::Refused(Refusal::NotFound));
    kill(&bench);
}
