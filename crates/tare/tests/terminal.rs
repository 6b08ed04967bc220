//! A terminal: raw while it lasts, restored whatever happens; sizes, detach keys, exit codes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod fake;

use fake::Fake;
use std::time::{Duration, Instant};
use testkit::Terminal;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn engine() -> Fake {
    let path = |name: &str| format!("/containers/{ID}/{name}");
    Fake::new()
        .json(
            "POST",
            "/containers/create",
            201,
            &format!("{{\"Id\":\"{ID}\"}}"),
        )
        .shell("POST", &path("attach"))
        .json("POST", &path("wait"), 200, "{\"StatusCode\":5}")
        .json("POST", &path("start"), 204, "")
        .json("POST", &path("resize"), 200, "")
}

fn eventually(what: &str, check: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !check() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn raw_and_restored() {
    let fake = engine();
    let mut terminal = Terminal::spawn(fake.command(&["run", "-it", "b", "sh"])).unwrap();
    let _prompt = terminal.expect("# ");
    assert!(!terminal.is_cooked());
    terminal.send("hello\x03");
    let _echo = terminal.expect("hello\x03");
    terminal.send("exit");
    assert_eq!(terminal.wait().code(), Some(5));
    assert!(terminal.is_cooked());
    assert_eq!(fake.typed(), "hello\x03exit");
    assert_eq!(
        fake.body("/containers/create")["HostConfig"]["ConsoleSize"],
        serde_json::json!([24, 80])
    );
}

#[test]
fn the_size_follows() {
    let fake = engine();
    let mut terminal = Terminal::spawn(fake.command(&["run", "-it", "b"])).unwrap();
    let _prompt = terminal.expect("# ");
    let resized = |query: &str| {
        let wanted = format!("POST /containers/{ID}/resize?{query}");
        eventually(&wanted, || fake.asked().contains(&wanted));
    };
    resized("h=24&w=80");
    terminal.resize(50, 132);
    resized("h=50&w=132");
    terminal.send("exit");
    assert_eq!(terminal.wait().code(), Some(5));
}

#[test]
fn detach_keys_leave_without_being_sent() {
    let fake = engine();
    let mut terminal = Terminal::spawn(fake.command(&["run", "-it", "b"])).unwrap();
    let _prompt = terminal.expect("# ");
    terminal.send("a\x10b\x10\x11");
    assert_eq!(terminal.wait().code(), Some(0));
    assert!(terminal.is_cooked());
    eventually("what was typed before", || fake.typed() == "a\x10b");
    let mut terminal =
        Terminal::spawn(fake.command(&["run", "-it", "--detach-keys", "ctrl-x,a", "b"])).unwrap();
    let _prompt = terminal.expect("# ");
    terminal.send("\x10\x11\x18a");
    assert_eq!(terminal.wait().code(), Some(0));
    eventually("other keys are the container's", || {
        fake.typed() == "a\x10b\x10\x11"
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "kill is the independent witness")]
fn a_signal_restores_the_terminal() {
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let fake = engine();
        let mut terminal = Terminal::spawn(fake.command(&["run", "-it", "b"])).unwrap();
        let _prompt = terminal.expect("# ");
        assert!(!terminal.is_cooked());
        let pid = terminal.pid().to_string();
        let kill = std::process::Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap();
        assert!(kill.success());
        assert_eq!(terminal.wait().code(), Some(code), "{signal}");
        assert!(terminal.is_cooked(), "{signal}");
    }
}

#[test]
fn a_failed_start_restores_it_too() {
    let fake = Fake::new()
        .json(
            "POST",
            "/containers/create",
            201,
            &format!("{{\"Id\":\"{ID}\"}}"),
        )
        .shell("POST", &format!("/containers/{ID}/attach"))
        .json(
            "POST",
            &format!("/containers/{ID}/wait"),
            200,
            "{\"StatusCode\":127}",
        )
        .json(
            "POST",
            &format!("/containers/{ID}/start"),
            400,
            "{\"message\":\"exec x: executable file not found\"}",
        );
    let mut terminal = Terminal::spawn(fake.command(&["run", "-it", "--rm", "b", "x"])).unwrap();
    let _text = terminal.expect("executable file not found");
    assert_eq!(terminal.wait().code(), Some(127));
    assert!(terminal.is_cooked());
}

#[test]
fn exec_at_a_terminal() {
    let fake = Fake::new()
        .json("POST", "/containers/c/exec", 201, "{\"Id\":\"e1\"}")
        .shell("POST", "/exec/e1/start")
        .json("POST", "/exec/e1/resize", 200, "")
        .json(
            "GET",
            "/exec/e1/json",
            200,
            "{\"ID\":\"e1\",\"ExitCode\":6}",
        );
    let mut terminal = Terminal::spawn(fake.command(&["exec", "-it", "c", "sh"])).unwrap();
    let _prompt = terminal.expect("# ");
    assert!(!terminal.is_cooked());
    terminal.send("exit");
    assert_eq!(terminal.wait().code(), Some(6));
    assert!(terminal.is_cooked());
    assert_eq!(
        fake.body("/containers/c/exec")["ConsoleSize"],
        serde_json::json!([24, 80])
    );
}
