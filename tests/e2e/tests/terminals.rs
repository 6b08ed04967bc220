//! `-it` is a real terminal: raw mode, sizes, detach keys, signals, exit codes, and the caller's terminal as it was.
#![allow(clippy::unwrap_used, reason = "tests")]

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    a_shell_is_typed_at,
    the_window_size_follows,
    control_c_reaches_the_program_only,
    detach_keys_leave_it_running,
    exec_has_a_terminal_too,
    the_terminal_is_restored_when_the_client_is_killed_by_a_signal,
    a_terminal_is_asked_for_where_there_is_none,
);

fn a_shell_is_typed_at(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let mut terminal = host.terminal(["run", "-it", "--rm", "busybox", "sh"]);
    let _prompt = terminal.expect("# ");
    assert!(!terminal.is_cooked(), "raw while the container has it");
    terminal.send("tty; echo $((6*7))\n");
    let shown = terminal.expect("42\r\n");
    assert!(
        shown.contains("/dev/pts/") || shown.contains("/dev/console"),
        "{shown:?}"
    );
    terminal.send("exit 5\n");
    assert_eq!(terminal.wait().code(), Some(5));
    assert!(terminal.is_cooked(), "restored");
    host.finish();
}

fn the_window_size_follows(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let mut terminal = host.terminal(["run", "-it", "--rm", "busybox", "sh"]);
    let _prompt = terminal.expect("# ");
    terminal.send("stty size\n");
    let _size = terminal.expect("24 80\r\n");
    terminal.resize(50, 132);
    // The size travels by a request of its own: it may come a moment after what is typed next.
    terminal.send("while [ \"$(stty size)\" != '50 132' ]; do sleep 0.05; done; echo resi''zed\n");
    let _new = terminal.expect("resized\r\n");
    terminal.send("exit\n");
    assert!(terminal.wait().success());
    host.finish();
}

fn control_c_reaches_the_program_only(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let mut terminal = host.terminal(["run", "-it", "--rm", "busybox", "sh"]);
    let _prompt = terminal.expect("# ");
    terminal.send("sleep 1000; echo code=$?\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.send("\x03");
    let _prompt = terminal.expect("# ");
    terminal.send("echo al''ive\n");
    let _alive = terminal.expect("alive\r\n");
    // At the prompt: the shell has the terminal in raw mode again, where ^D is what is typed.
    let _prompt = terminal.expect("# ");
    terminal.send("\x04");
    let _status = terminal.wait();
    assert!(terminal.is_cooked());
    host.finish();
}

fn detach_keys_leave_it_running(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let mut terminal = host.terminal(["run", "-it", "--name", "left", "busybox", "sh"]);
    let _prompt = terminal.expect("# ");
    terminal.send("\x10\x11");
    assert_eq!(terminal.wait().code(), Some(0));
    assert!(terminal.is_cooked());
    assert_eq!(host.tare(["ps", "--format", "{{.Names}}"]).ok(), "left");
    let mut again = host.terminal(["attach", "left"]);
    again.send("\necho ba''ck\n");
    let _back = again.expect("back\r\n");
    again.send("exit 3\n");
    assert_eq!(again.wait().code(), Some(3));
    let mut other = host.terminal([
        "run",
        "-it",
        "--detach-keys",
        "ctrl-x,a",
        "--name",
        "keys",
        "busybox",
        "sh",
    ]);
    let _prompt = other.expect("# ");
    other.send("\x18a");
    assert_eq!(other.wait().code(), Some(0));
    host.finish();
}

fn exec_has_a_terminal_too(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare(["run", "-d", "--name", "c1", "busybox", "sleep", "1000"])
        .ok();
    let mut terminal = host.terminal(["exec", "-it", "c1", "sh"]);
    let _prompt = terminal.expect("# ");
    terminal.send("tty; stty size\n");
    let _size = terminal.expect("24 80\r\n");
    terminal.send("exit 6\n");
    assert_eq!(terminal.wait().code(), Some(6));
    assert!(terminal.is_cooked());
    host.finish();
}

fn the_terminal_is_restored_when_the_client_is_killed_by_a_signal(
    sandbox: &Sandbox,
    transport: Transport,
) {
    let host = Host::with_busybox(sandbox, transport);
    let mut terminal = host.terminal(["run", "-it", "--name", "t1", "busybox", "sh"]);
    let _prompt = terminal.expect("# ");
    assert!(!terminal.is_cooked());
    let pid = rustix::process::Pid::from_raw(i32::try_from(terminal.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let _status = terminal.wait();
    assert!(terminal.is_cooked(), "restored after SIGTERM");
    host.finish();
}

fn a_terminal_is_asked_for_where_there_is_none(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let refused = host.tare(["run", "-it", "--rm", "busybox", "sh"]).fails(1);
    assert!(
        refused.contains("the input device is not a TTY"),
        "{refused}"
    );
    // Without -i a terminal is the container's own affair.
    let tty = host
        .tare([
            "run",
            "-t",
            "--rm",
            "busybox",
            "sh",
            "-c",
            "test -t 1 && echo yes",
        ])
        .ok();
    assert_eq!(tty.trim_end(), "yes");
    host.finish();
}
