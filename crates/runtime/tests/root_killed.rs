//! A command that is killed at any point leaves a container that can be told apart and deleted.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use bundle::{Bundle, Outcome};

/// 128 and SIGABRT: how a fail point ends a process.
const KILLED: i32 = 134;

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

fn killed_at(bundle: &Bundle, point: &str, args: &[&str]) {
    let mut command = bundle.command(args);
    // What is made may live on: it must not hold a pipe of ours.
    let status = command
        .env("TARE_FAILPOINT", point)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    let code = std::os::unix::process::ExitStatusExt::signal(&status).map(|s| 128 + s);
    assert_eq!(code, Some(KILLED), "{point}: {status}");
}

fn call(bundle: &Bundle, args: &[&str]) -> Outcome {
    let mut all = args.to_vec();
    all.push(&bundle.id);
    bundle.call(&all)
}

#[test]
fn a_creation_that_is_killed_is_deleted() {
    sandboxed!();
    for (point, status) in [
        ("tare-runtime.create.reserved", None),
        ("tare-runtime.create.begun", Some("stopped")),
        ("runtime.create.after_directory", Some("stopped")),
        ("runtime.create.after_clone", Some("stopped")),
        ("runtime.create.after_group", Some("stopped")),
        ("tare-runtime.create.made", Some("stopped")),
        ("tare-runtime.create.kept", Some("created")),
    ] {
        let bundle = Bundle::new("true");
        bundle.write_config();
        let path = bundle.path().to_str().unwrap();
        killed_at(&bundle, point, &["create", "-b", path, &bundle.id]);
        bundle.create().fails(1);
        match status {
            None => {
                let error = call(&bundle, &["state"]).fails(1);
                assert!(error.contains("does not exist"), "{error}");
                call(&bundle, &["delete"]).fails(1);
                call(&bundle, &["delete", "--force"]).succeeds();
            }
            Some(status) => {
                assert_eq!(bundle.status(), status, "{point}");
                call(&bundle, &["delete"]).succeeds();
            }
        }
        bundle.create().succeeds();
        call(&bundle, &["delete"]).succeeds();
    }
}

#[test]
fn a_start_that_is_killed_has_started_the_container() {
    sandboxed!();
    let bundle = Bundle::new("sleep 1000");
    bundle.create().succeeds();
    killed_at(
        &bundle,
        "tare-runtime.start.released",
        &["start", &bundle.id],
    );
    assert_eq!(bundle.status(), "running");
    call(&bundle, &["start"]).fails(1);
    call(&bundle, &["delete"]).fails(1);
    assert_eq!(bundle.exec(&["echo", "in"]).succeeds(), "in\n");
}

#[test]
fn a_deletion_that_is_killed_is_finished_by_another() {
    sandboxed!();
    for point in ["tare-runtime.delete.killed", "tare-runtime.delete.cleared"] {
        let bundle = Bundle::new("sleep 1000");
        bundle.start();
        killed_at(&bundle, point, &["delete", "--force", &bundle.id]);
        assert_eq!(bundle.status(), "stopped");
        call(&bundle, &["delete"]).succeeds();
    }
}

#[test]
fn an_update_that_is_killed_can_be_made_again() {
    sandboxed!();
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let update = ["update", "--pids-limit", "77", bundle.id.as_str()];
    killed_at(&bundle, "tare-runtime.update.applied", &update);
    assert_eq!(bundle.cgroup_file("pids", "pids.max"), "77");
    bundle.call(&update).succeeds();
    assert_eq!(bundle.exec(&["true"]).code, 0);
}

#[test]
fn every_point_of_the_command_is_among_these() {
    let own = include_str!("root_killed.rs");
    for point in failpoint::POINTS
        .iter()
        .filter(|p| p.starts_with("tare-runtime."))
    {
        assert!(own.contains(&format!("\"{point}\"")), "{point}");
    }
}
