//! A monitor's life: launch, output, end; and how it fails.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod monitored;

use monitored::Bench;
use protocol::log::Stream;
use protocol::{Liveness, LogLimits, Reply, Request};

#[test]
fn output_is_kept_and_the_end_recorded() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.script("echo hello; echo oops >&2; exit 3"));
    let record = bench.wait();
    assert_eq!((record.code, record.signal), (3, None));
    assert!(!record.oom_killed && record.error.is_empty(), "{record:?}");
    assert!(record.started_at <= record.finished_at);
    // Who is told finds everything done.
    assert_eq!(bench.liveness(), Liveness::Absent);
    assert_eq!(bench.record(), Some(record));
    assert_eq!(bench.text(Stream::Stdout), "hello\n");
    assert_eq!(bench.text(Stream::Stderr), "oops\n");
}

#[test]
fn a_signal_is_an_exit_code() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(
        &bench.script("trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.05; done"),
    );
    bench.until_said("ready");
    let term = Request::Signal {
        signal: 15,
        exec: None,
    };
    assert_eq!(bench.call(&term), Reply::Done);
    assert_eq!(bench.wait().code, 7);
    assert_eq!(bench.text(Stream::Stdout), "ready\ngot it\n");
    bench.join();

    bench.start(&bench.command(&["sleep", "1000"]));
    let kill = Request::Signal {
        signal: 9,
        exec: None,
    };
    assert_eq!(bench.call(&kill), Reply::Done);
    let record = bench.wait();
    assert_eq!((record.code, record.signal), (137, Some(9)));
}

#[test]
fn the_state_is_told_while_it_lives() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    assert_eq!(bench.liveness(), Liveness::Absent);
    let mut launch = bench.command(&["cat"]);
    launch.open_stdin = true;
    bench.start(&launch);
    let Liveness::Running(state) = bench.liveness() else {
        panic!("{:?}", bench.liveness());
    };
    assert!(state.open_stdin && !state.tty);
    let Reply::State { state: told, .. } = bench.call(&Request::State) else {
        panic!();
    };
    assert_eq!(told, state);
    // Another monitor for the same container is refused, and does no harm.
    let (stage, message, code) = bench.fail(&launch);
    assert_eq!((stage.as_str(), code), ("lock state", 125), "{message}");
    assert_eq!(bench.liveness(), Liveness::Running(state));
    bench.call(&Request::Signal {
        signal: 9,
        exec: None,
    });
    assert_eq!(bench.wait().code, 137);
}

#[test]
fn what_cannot_run_is_told_and_undone() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    for (command, code) in [
        ("no-such-program", 127),
        ("/bin/none", 127),
        ("/etc", 126),
        ("/etc/plain", 126),
    ] {
        let (stage, message, exit_code) = bench.fail(&bench.command(&[command]));
        assert_eq!(exit_code, code, "{command}: {stage}: {message}");
        assert!(message.contains(command), "{stage}: {message}");
        bench.join();
        assert_eq!(bench.liveness(), Liveness::Absent);
        assert_eq!(bench.record(), None);
    }
    let mut launch = bench.command(&["true"]);
    launch.user = Some("nobody-here".to_owned());
    let (stage, message, code) = bench.fail(&launch);
    assert_eq!((stage.as_str(), code), ("find user", 125), "{message}");
    assert!(message.contains("nobody-here"), "{message}");
}

#[test]
fn runs_as_the_user_that_was_named() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let mut launch = bench.script(
        "id -u; id -g; echo $HOME; echo again > /dev/stdout; grep CapEff /proc/self/status",
    );
    launch.user = Some("app".to_owned());
    bench.start(&launch);
    assert_eq!(bench.wait().code, 0, "{}", bench.text(Stream::Stderr));
    let text = bench.text(Stream::Stdout);
    assert_eq!(
        text,
        "1000\n1000\n/home/app\nagain\nCapEff:\t0000000000000000\n"
    );
}

#[test]
fn a_program_starts_clean() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.script("echo $HOME; umask; ls /proc/self/fd | wc -l"));
    assert_eq!(bench.wait().code, 0);
    // Three streams and the directory that ls reads.
    assert_eq!(bench.text(Stream::Stdout), "/root\n0022\n4\n");
    bench.join();
    // The monitor ignores some.
    bench.start(&bench.command(&["grep", "-E", "SigBlk|SigIgn", "/proc/self/status"]));
    assert_eq!(bench.wait().code, 0);
    let zero = "0000000000000000";
    let clean = format!("SigBlk:\t{zero}\nSigIgn:\t{zero}\n");
    assert!(bench.text(Stream::Stdout).ends_with(&clean));
}

#[test]
fn the_log_rotates() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let mut launch = bench.script("for i in $(seq 400); do echo line $i; sleep 0.001; done");
    launch.log = LogLimits {
        max_size: 2000,
        max_files: 2,
    };
    bench.start(&launch);
    assert_eq!(bench.wait().code, 0);
    let files = std::fs::read_dir(bench.container_dir().join("log")).unwrap();
    let sizes: Vec<u64> = files
        .map(|f| f.unwrap().metadata().unwrap().len())
        .collect();
    assert!(
        sizes.len() <= 2 && sizes.iter().all(|s| *s <= 2000),
        "{sizes:?}"
    );
    assert!(bench.text(Stream::Stdout).ends_with("line 400\n"));
}

#[test]
fn output_goes_on_in_the_same_log_after_a_restart() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    for text in ["one", "two"] {
        bench.start(&bench.command(&["echo", text]));
        assert_eq!(bench.wait().code, 0);
        bench.join();
    }
    assert_eq!(bench.text(Stream::Stdout), "one\ntwo\n");
}

#[test]
fn a_killed_monitor_takes_its_container_along() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.script("echo ready; sleep 1000"));
    bench.until_said("ready");
    let Liveness::Running(state) = bench.liveness() else {
        panic!();
    };
    let init = kernel::process::ProcessIdentity {
        pid: kernel::Pid::from_raw(state.pid).unwrap(),
        start_time: state.start_time,
        boot_id: state.boot_id.clone(),
    };
    assert!(init.is_alive().unwrap());
    bench.monitor().pidfd.signal(9).unwrap();
    bench.join();
    bench.until("the container dies", || !init.is_alive().unwrap());
    assert_eq!(bench.liveness(), Liveness::Dead(Some(state)));
    assert_eq!(bench.record(), None);
    // The next one takes over, and nothing is left of the dead one.
    bench.start(&bench.command(&["echo", "again"]));
    assert_eq!(bench.wait().code, 0);
    assert_eq!(bench.text(Stream::Stdout), "ready\nagain\n");
}

#[test]
fn the_engine_s_signals_are_ignored() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    bench.start(&bench.script("echo ready; sleep 0.3; echo done"));
    bench.until_said("ready");
    for signal in [1, 2, 13, 15] {
        bench.monitor().pidfd.signal(signal).unwrap();
    }
    assert_eq!(bench.wait().code, 0);
    assert_eq!(bench.text(Stream::Stdout), "ready\ndone\n");
}

#[test]
fn a_full_disk_neither_stops_the_program_nor_hides_its_end() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let small = kernel::mount::FsContext::new("tmpfs").unwrap();
    let small = small.string("size", "1m").create().unwrap();
    let small = small.mount(kernel::mount::Attr::empty()).unwrap();
    let place = std::fs::File::open(bench.container_dir()).unwrap();
    small.attach(&place, "").unwrap();
    bench.start(&bench.script("yes x | head -c 3000000; echo end >&2; exit 5"));
    let record = bench.wait();
    assert_eq!(record.code, 5);
    bench.join();
    assert_eq!(bench.record(), Some(record));
    let kept = bench.text(Stream::Stdout).len();
    assert!((500_000..3_000_000).contains(&kept), "{kept}");
    kernel::mount::unmount_detach(bench.container_dir()).unwrap();
}

#[test]
fn the_command_that_removes_runs_unless_somebody_promised() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let marker = bench.dir.path().join("removed");
    let mut launch = bench.command(&["cat"]);
    launch.open_stdin = true;
    launch.auto_remove = true;
    let script = format!("echo $WHO > {}", marker.display());
    launch.remove_command = ["/bin/busybox", "sh", "-c", &script]
        .map(str::to_owned)
        .to_vec();
    launch.remove_env.insert("WHO".to_owned(), "me".to_owned());
    let kill = Request::Signal {
        signal: 9,
        exec: None,
    };

    // Its launcher saw its end before it could promise, and removes it.
    let mut brief = launch.clone();
    brief.spec.process.as_mut().unwrap().args = vec!["true".to_owned()];
    bench.start(&brief);
    bench.wait();
    std::fs::remove_dir_all(bench.container_dir()).unwrap();
    bench.join();
    assert!(!marker.exists());
    std::fs::create_dir(bench.container_dir()).unwrap();

    bench.start(&launch);
    let mut waiter = bench.connect();
    waiter.send(&Request::Wait { remove: true }, &[]).unwrap();
    bench.call(&kill);
    assert!(matches!(waiter.receive().unwrap().0, Reply::Exited(_)));
    bench.join();
    assert!(!marker.exists());

    bench.start(&launch);
    let mut waiter = bench.connect();
    waiter.send(&Request::Wait { remove: true }, &[]).unwrap();
    bench.call(&Request::State);
    drop(waiter);
    bench.call(&kill);
    bench.join();
    bench.until("the command runs", || {
        std::fs::read_to_string(&marker).is_ok_and(|text| text == "me\n")
    });
}

#[test]
fn what_outlives_the_first_process_in_a_shared_pid_namespace_is_killed() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let mut launch = bench.script("sleep 1000 & echo left; exit 6");
    let linux = launch.spec.linux.as_mut().unwrap();
    linux
        .namespaces
        .retain(|n| n.kind != spec::runtime::NamespaceKind::Pid);
    bench.start(&launch);
    let record = bench.wait();
    assert_eq!((record.code, record.error.as_str()), (6, ""));
    assert_eq!(bench.text(Stream::Stdout), "left\n");
}

#[test]
fn want_of_memory_is_recorded() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let mut launch = bench.command(&["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]);
    let resources = spec::runtime::Resources {
        memory: Some(spec::runtime::Memory {
            limit: Some(16 << 20),
            ..spec::runtime::Memory::default()
        }),
        ..spec::runtime::Resources::default()
    };
    launch.spec.linux.as_mut().unwrap().resources = Some(resources);
    bench.start(&launch);
    let record = bench.wait();
    assert_eq!((record.code, record.signal), (137, Some(9)));
    assert!(record.oom_killed, "{record:?}");
}
