use spec::runtime::{Hook, Hooks, State, Status};

use super::{Turn, check, run_each, run_hooks};

fn state() -> State {
    State {
        oci_version: "1.2.1".to_owned(),
        id: "one".to_owned(),
        status: Status::Creating,
        pid: 7,
        bundle: "/b".to_owned(),
        annotations: [("k".to_owned(), "v".to_owned())].into(),
    }
}

fn shell(script: &str) -> Hook {
    Hook {
        path: "/bin/sh".to_owned(),
        args: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec!["ONLY=this".to_owned()],
        timeout: None,
    }
}

fn poststop(hooks: Vec<Hook>) -> Hooks {
    Hooks {
        poststop: hooks,
        ..Hooks::default()
    }
}

#[test]
fn hooks_run_in_order_with_the_state_and_their_own_environment() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    let path = file.display();
    let hooks = poststop(vec![
        shell(&format!("cat > {path}; echo >> {path}; pwd >> {path}")),
        shell(&format!("echo $ONLY $0 $PATH_OF >> {path}")),
    ]);
    run_hooks(&hooks, Turn::Poststop, &state()).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines = text.lines();
    let told: State = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(told, state());
    assert_eq!(lines.collect::<Vec<_>>(), ["/", "this sh"]);
    // Another turn has none.
    run_hooks(&hooks, Turn::Prestart, &state()).unwrap();
}

#[test]
fn the_first_failure_ends_a_turn_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    let hooks = poststop(vec![
        shell("echo hello; echo oh no >&2; exit 3"),
        shell(&format!("touch {}", file.display())),
    ]);
    let error = run_hooks(&hooks, Turn::Poststop, &state()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "error running poststop hook #0 (/bin/sh): exit status 3, stdout: hello, stderr: oh no"
    );
    assert!(!file.exists());
    assert_eq!(run_each(&hooks, Turn::Poststop, &state()).len(), 1);
    assert!(file.exists());
}

#[test]
fn a_hook_that_takes_too_long_is_killed() {
    let mut hook = shell("exec sleep 1000");
    hook.timeout = Some(1);
    let error = run_hooks(&poststop(vec![hook]), Turn::Poststop, &state()).unwrap_err();
    assert!(
        error.to_string().ends_with("did not end within 1 s"),
        "{error}"
    );
    let mut missing = shell("");
    missing.path = "/nosuch/hook".to_owned();
    let error = run_hooks(&poststop(vec![missing]), Turn::Poststop, &state()).unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn hooks_that_could_only_fail_are_refused_at_once() {
    let with = |change: fn(&mut Hook)| {
        let mut hook = shell("");
        change(&mut hook);
        check(&Hooks {
            start_container: vec![hook],
            ..Hooks::default()
        })
    };
    assert!(with(|_| ()).is_ok());
    assert!(with(|h| h.path = "sh".to_owned()).is_err());
    assert!(with(|h| h.timeout = Some(0)).is_err());
    assert!(with(|h| h.timeout = Some(-1)).is_err());
    assert!(with(|h| h.args[0] = "a\0b".to_owned()).is_err());
}
