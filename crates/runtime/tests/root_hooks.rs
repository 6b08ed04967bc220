//! Hooks: when they run, where, what they are told, and what becomes of a container whose hook fails.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use std::fs;

use bundle::Bundle;
use spec::runtime::{Hook, Hooks, State, Status};

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

/// A hook that writes its name, its state and its namespaces to a file.
fn told(bundle: &Bundle, name: &str) -> Hook {
    let file = bundle.path().join("told");
    let script = format!(
        "(echo {name} $(cat); for n in mnt uts pid; do readlink /proc/self/ns/$n || echo none; done; pwd; env | grep -v -e ^PWD -e ^SHLVL -e ^_= | sort | tr '\\n' ' '; echo) >> {}",
        file.display()
    );
    Hook {
        path: "/bin/busybox".to_owned(),
        args: ["sh", "-c", &script].map(str::to_owned).to_vec(),
        env: vec!["FROM=hook".to_owned(), "PATH=/bin".to_owned()],
        timeout: Some(20),
    }
}

struct Told {
    name: String,
    state: State,
    namespaces: Vec<String>,
    cwd: String,
    env: String,
}

fn read(bundle: &Bundle) -> Vec<Told> {
    let text = fs::read_to_string(bundle.path().join("told")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .chunks(6)
        .map(|one| {
            let (name, state) = one[0].split_once(' ').unwrap();
            Told {
                name: name.to_owned(),
                state: serde_json::from_str(state).unwrap(),
                namespaces: one[1..4].iter().map(|&n| n.to_owned()).collect(),
                cwd: one[4].to_owned(),
                env: one[5].trim().to_owned(),
            }
        })
        .collect()
}

#[test]
fn hooks_run_at_their_turn_in_their_place() {
    sandboxed!();
    let mut bundle = Bundle::new("sleep 1000");
    bundle.process().env.push("LD_PRELOAD=/evil.so".to_owned());
    bundle
        .spec
        .annotations
        .insert("a".to_owned(), "b".to_owned());
    let mut start = told(&bundle, "startContainer");
    // In the container, where the root is another: to a file that is bound into it.
    fs::write(bundle.path().join("told"), "").unwrap();
    let file = bundle.path().join("told").display().to_string();
    bundle.spec.mounts.push(spec::runtime::Mount {
        source: file.clone(),
        ..spec::profile::mount("/told", "bind", &["bind"])
    });
    start.args[2] = start.args[2].replace(&file, "/told");
    bundle.spec.hooks = Some(Hooks {
        prestart: vec![told(&bundle, "prestart")],
        create_runtime: vec![
            told(&bundle, "createRuntime1"),
            told(&bundle, "createRuntime2"),
        ],
        create_container: vec![told(&bundle, "createContainer")],
        start_container: vec![start],
        ..Hooks::default()
    });
    bundle.create().succeeds();
    let own = |kind: &str| {
        let path = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (pid, all) = (bundle.pid(), read(&bundle));
    let names: Vec<&str> = all.iter().map(|t| &*t.name).collect();
    assert_eq!(
        names,
        [
            "prestart",
            "createRuntime1",
            "createRuntime2",
            "createContainer"
        ]
    );
    for one in &all {
        assert_eq!(one.state.id, bundle.id);
        assert_eq!(one.state.status, Status::Creating);
        assert_eq!(one.state.bundle, bundle.path().display().to_string());
        assert_eq!(one.state.annotations["a"], "b");
        assert_eq!((&*one.cwd, &*one.env), ("/", "FROM=hook PATH=/bin"));
        let inside = one.name == "createContainer";
        for (namespace, kind) in one.namespaces.iter().zip(["mnt", "uts"]) {
            // The procfs of the caller's knows nobody of the container's pid namespace.
            let expected = if inside { "none".to_owned() } else { own(kind) };
            assert_eq!(*namespace, expected, "{} {kind}", one.name);
        }
        assert_eq!(one.state.pid, if inside { 1 } else { pid }, "{}", one.name);
    }
    bundle.call(&["start", &bundle.id]).succeeds();
    let all = read(&bundle);
    let last = all.last().unwrap();
    assert_eq!(
        (&*last.name, last.state.status),
        ("startContainer", Status::Created)
    );
    assert_eq!(&*last.env, "FROM=hook PATH=/bin");
    let theirs = fs::read_link(format!("/proc/{pid}/ns/mnt")).unwrap();
    assert_eq!(last.namespaces[0], theirs.to_str().unwrap());
}

#[test]
fn hooks_in_the_containers_namespaces_see_its_mounts() {
    sandboxed!();
    let mut bundle = Bundle::new("cat /tmp/made /proc/self/mountinfo");
    let root = bundle.root();
    let script = format!(
        "test -c {root}/dev/null && busybox mount -t tmpfs hooked {root}/tmp && echo by hook > {root}/tmp/made",
        root = root.display()
    );
    bundle.spec.hooks = Some(Hooks {
        create_container: vec![Hook {
            path: "/bin/busybox".to_owned(),
            args: ["sh", "-c", &script].map(str::to_owned).to_vec(),
            env: vec!["PATH=/bin:/usr/bin".to_owned()],
            timeout: None,
        }],
        ..Hooks::default()
    });
    let out = bundle.run().succeeds();
    assert!(out.starts_with("by hook\n"), "{out}");
    let points: Vec<&str> = out.lines().filter_map(|l| l.split(' ').nth(4)).collect();
    assert!(points.contains(&"/tmp"), "{out}");
    let own = bundle.path().to_str().unwrap();
    assert!(points.iter().all(|p| !p.starts_with(own)), "{out}");
    assert!(!root.join("tmp/made").exists());
    let host = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!host.contains("hooked"), "{host}");
}

#[test]
fn a_hook_that_fails_ends_the_container() {
    sandboxed!();
    let fail = |bundle: &Bundle| {
        let mut hook = told(bundle, "failing");
        hook.args[2] = "echo sorry >&2; exit 7".to_owned();
        hook
    };
    for turn in ["prestart", "createRuntime", "createContainer"] {
        let mut bundle = Bundle::new("true");
        let failing = vec![fail(&bundle), told(&bundle, "never")];
        let after = vec![told(&bundle, "poststop")];
        let mut hooks = Hooks {
            poststop: after,
            ..Hooks::default()
        };
        match turn {
            "prestart" => hooks.prestart = failing,
            "createRuntime" => hooks.create_runtime = failing,
            _ => hooks.create_container = failing,
        }
        bundle.spec.hooks = Some(hooks);
        let error = bundle.create().fails(1);
        assert!(
            error.contains(&format!("error running {turn} hook #0"))
                && error.contains("exit status 7")
                && error.contains("sorry"),
            "{error}"
        );
        bundle.call(&["state", &bundle.id]).fails(1);
        let all = read(&bundle);
        assert_eq!(all.len(), 1, "{turn}");
        assert_eq!(
            (&*all[0].name, all[0].state.status),
            ("poststop", Status::Stopped)
        );
    }
    let mut bundle = Bundle::new("echo ran");
    bundle.spec.hooks = Some(Hooks {
        start_container: vec![fail(&bundle)],
        ..Hooks::default()
    });
    bundle.create().succeeds();
    let error = bundle.call(&["start", &bundle.id]).fails(1);
    assert!(
        error.contains("error running startContainer hook #0"),
        "{error}"
    );
    bundle.wait();
    assert_eq!(bundle.output(), "");
}

#[test]
fn a_hook_that_takes_too_long_is_killed() {
    sandboxed!();
    let mut bundle = Bundle::new("true");
    let mut hook = told(&bundle, "slow");
    hook.args[2] = "exec sleep 1000".to_owned();
    hook.timeout = Some(1);
    bundle.spec.hooks = Some(Hooks {
        create_runtime: vec![hook],
        ..Hooks::default()
    });
    let error = bundle.create().fails(1);
    assert!(error.contains("did not end within 1 s"), "{error}");
}

#[test]
fn the_last_turns_are_those_of_start_and_delete() {
    sandboxed!();
    let mut bundle = Bundle::new("sleep 1000");
    let mut failing = told(&bundle, "failing");
    failing.args[2] = "exit 1".to_owned();
    bundle.spec.hooks = Some(Hooks {
        poststart: vec![told(&bundle, "poststart")],
        // What one doesn't do keeps none of the others from it.
        poststop: vec![failing.clone(), told(&bundle, "poststop")],
        ..Hooks::default()
    });
    bundle.create().succeeds();
    assert_eq!(read(&bundle).len(), 0);
    bundle.call(&["start", &bundle.id]).succeeds();
    let all = read(&bundle);
    assert_eq!(
        (&*all[0].name, all[0].state.status),
        ("poststart", Status::Running)
    );
    assert_eq!(all[0].state.pid, bundle.pid());
    let warned = bundle.call(&["delete", "--force", &bundle.id]);
    assert!(
        warned.err.contains("error running poststop hook #0"),
        "{warned:?}"
    );
    warned.succeeds();
    let all = read(&bundle);
    assert_eq!(
        (&*all[1].name, all[1].state.status),
        ("poststop", Status::Stopped)
    );
    assert_eq!(all.len(), 2);

    let mut bundle = Bundle::new("sleep 1000");
    bundle.spec.hooks = Some(Hooks {
        poststart: vec![failing],
        ..Hooks::default()
    });
    bundle.create().succeeds();
    let error = bundle.call(&["start", &bundle.id]).fails(1);
    assert!(error.contains("error running poststart hook #0"), "{error}");
    bundle.wait();
}
