//! What clients of a monitor can do, and can't.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod monitored;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use monitored::{Bench, text_of};
use protocol::log::{Position, Stream};
use protocol::{From, Kind, LogLimits, Refusal, Reply, Request};

const KILL: Request = Request::Signal {
    signal: 9,
    exec: None,
};

#[test]
fn a_slow_reader_gets_everything_and_holds_nobody_up() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.script("seq 300000; echo over >&2"));
    let (slow, _) = bench.attach(From::Start);
    // It has not read a byte, and the container ends.
    let record = bench.wait();
    assert_eq!(record.code, 0);
    let log = bench.log();
    // The log may be removed under it.
    std::fs::remove_dir_all(bench.container_dir().join("log")).unwrap();
    let got = slow.read_all();
    assert_eq!(text_of(&got, Stream::Stdout), text_of(&log, Stream::Stdout));
    assert!(text_of(&got, Stream::Stdout).ends_with("\n300000\n"));
    assert_eq!(text_of(&got, Stream::Stderr), "over\n");
}

#[test]
fn a_reader_begins_where_it_wants() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let mut launch = bench.script("echo before; read x; echo $x");
    launch.open_stdin = true;
    bench.start(&launch);
    bench.until_said("before");
    let (now, stdin) = bench.attach(From::Now);
    let (start, _) = bench.attach(From::Start);
    let second = Position {
        segment: 1,
        offset: 27,
    };
    let (second, _) = bench.attach(From::Position(second));
    let past = Position {
        segment: 7,
        offset: 3,
    };
    let (past, _) = bench.attach(From::Position(past));
    let inside = Position {
        segment: 1,
        offset: 3,
    };
    let request = Request::Attach {
        from: From::Position(inside),
        stdin: false,
    };
    let refused = bench.connect().call(&request, &[]).unwrap_err();
    assert_eq!(refused.kind, Kind::Refused(Refusal::Invalid));
    stdin.unwrap().write_all(b"after\n").unwrap();
    assert_eq!(bench.wait().code, 0);
    assert_eq!(text_of(&now.read_all(), Stream::Stdout), "after\n");
    assert_eq!(text_of(&past.read_all(), Stream::Stdout), "after\n");
    assert_eq!(
        text_of(&start.read_all(), Stream::Stdout),
        "before\nafter\n"
    );
    assert_eq!(text_of(&second.read_all(), Stream::Stdout), "after\n");
}

#[test]
fn rotation_past_a_reader_ends_it_with_a_word() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let mut launch = bench.script("seq 400000");
    launch.log = LogLimits {
        max_size: 200_000,
        max_files: 2,
    };
    bench.start(&launch);
    let (slow, _) = bench.attach(From::Now);
    assert_eq!(bench.wait().code, 0);
    let got = slow.read_all();
    let last = got.last().unwrap();
    assert_eq!(last.stream, Stream::Note);
    let text = String::from_utf8_lossy(&last.payload).into_owned();
    assert!(text.contains("rotated away"), "{text}");
}

#[test]
fn stdin_ends_when_its_writer_says_so_or_goes() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let mut launch = bench.script("cat; echo end");
    launch.open_stdin = true;
    launch.stdin_once = true;

    for how in ["says so", "half-closes", "goes"] {
        bench.start(&launch);
        let mut connection = bench.connect();
        let request = Request::Attach {
            from: From::Now,
            stdin: true,
        };
        let (_, mut fds) = connection.call(&request, &[]).unwrap();
        let mut stdin = std::fs::File::from(fds.pop().unwrap());
        stdin.write_all(how.as_bytes()).unwrap();
        drop(stdin);
        let mut kept = None;
        match how {
            "says so" => {
                connection.send(&Request::CloseStdin, &[]).unwrap();
                kept = Some(connection.into_stream());
            }
            "half-closes" => {
                let stream = connection.into_stream();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                kept = Some(stream);
            }
            _ => drop(connection),
        }
        assert_eq!(bench.wait().code, 0);
        if let Some(mut stream) = kept {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            assert!(!bytes.is_empty(), "output goes on when {how}");
        }
        bench.join();
        assert!(bench.text(Stream::Stdout).ends_with(&format!("{how}end\n")));
    }
}

#[test]
fn stdin_stays_open_for_the_next_client() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let mut launch = bench.command(&["cat"]);
    launch.open_stdin = true;
    bench.start(&launch);
    for text in ["one\n", "two\n"] {
        let (mut attached, stdin) = bench.attach(From::Now);
        stdin.unwrap().write_all(text.as_bytes()).unwrap();
        attached.close_stdin();
        bench.until_said(text);
    }
    bench.call(&KILL);
    assert_eq!(bench.wait().code, 137);
}

#[test]
fn a_terminal_is_one() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let mut launch = bench.script(
        "test -t 0 && test -t 1 && echo tty; stty size; trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 0.05; done",
    );
    launch.tty = true;
    launch.open_stdin = true;
    (launch.rows, launch.cols) = (33, 99);
    launch.spec.process.as_mut().unwrap().terminal = true;
    bench.start(&launch);
    let (attached, master) = bench.attach(From::Start);
    bench.until_said("ready");
    let resize = Request::Resize {
        rows: 40,
        cols: 120,
        exec: None,
    };
    assert_eq!(bench.call(&resize), Reply::Done);
    assert_eq!(bench.wait().code, 4);
    drop(master);
    let text = text_of(&attached.read_all(), Stream::Stdout);
    assert_eq!(text, "tty\r\n33 99\r\nready\r\n40 120\r\n");
}

#[test]
fn a_terminal_is_typed_at() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    // The program gives its terminal up for a moment: that is not its end.
    let mut launch = bench.script(
        "exec 0<&- 1>&- 2>&-; sleep 0.1; exec <>/dev/tty >&0 2>&0; read x; echo you said $x",
    );
    launch.tty = true;
    launch.open_stdin = true;
    launch.spec.process.as_mut().unwrap().terminal = true;
    bench.start(&launch);
    let (attached, master) = bench.attach(From::Start);
    master.unwrap().write_all(b"hello\n").unwrap();
    assert_eq!(bench.wait().code, 0);
    let text = text_of(&attached.read_all(), Stream::Stdout);
    assert!(text.ends_with("you said hello\r\n"), "{text:?}");
}

#[test]
fn resizing_without_a_terminal_is_refused() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.command(&["sleep", "1000"]));
    let resize = Request::Resize {
        rows: 1,
        cols: 1,
        exec: None,
    };
    let refused = bench.connect().call(&resize, &[]).unwrap_err();
    assert_eq!(refused.kind, Kind::Refused(Refusal::Conflict));
    let wrong = Request::Signal {
        signal: 999,
        exec: None,
    };
    let refused = bench.connect().call(&wrong, &[]).unwrap_err();
    assert_eq!(refused.kind, Kind::Refused(Refusal::Invalid));
    bench.call(&KILL);
}

#[test]
fn many_wait() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.command(&["sleep", "1000"]));
    let mut waiters: Vec<_> = (0..100).map(|_| bench.connect()).collect();
    for waiter in &mut waiters {
        waiter.send(&Request::Wait { remove: false }, &[]).unwrap();
    }
    bench.call(&KILL);
    for waiter in &mut waiters {
        let (reply, _) = waiter.receive().unwrap();
        assert!(matches!(reply, Reply::Exited(record) if record.code == 137));
    }
}

#[test]
fn garbage_harms_nobody() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.command(&["sleep", "1000"]));
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"TM\x01\0\xff\xff\xff\xff",
        b"TM\x01\0\x02\0\0\0{}",
        b"TM",
    ] {
        let mut stream: UnixStream = bench.connect().into_stream();
        stream.write_all(garbage).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // What was not read when the connection was closed makes it a reset.
        let _reset = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || String::from_utf8_lossy(&answer).contains("refused"));
    }
    // More connections than are served at once: they wait.
    let idle: Vec<_> = (0..300).filter_map(|_| connect_if_room(&bench)).collect();
    assert!(idle.len() > 200);
    drop(idle);
    assert!(matches!(bench.call(&Request::State), Reply::State { .. }));
    bench.call(&KILL);
    assert_eq!(bench.wait().code, 137);
}

fn connect_if_room(bench: &Bench) -> Option<UnixStream> {
    let stream = bench.connect().into_stream();
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    Some(stream)
}
