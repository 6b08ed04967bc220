//! Containers that do not run.

use engine::Kind;
use engine::container::{
    Config, Exit, Filters, HostConfig, ListRequest, RemoveRequest, Status, StopRequest,
    WaitCondition,
};

use crate::place::{Place, block, create, load, request};

fn all() -> ListRequest {
    ListRequest {
        all: true,
        ..ListRequest::default()
    }
}

#[test]
fn a_container_is_made_seen_and_removed() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("bin/true", "x")]).await;
        let id = create(&engine, "web-1").await;
        let text = id.to_string();
        for name in ["web-1", "/web-1", &text, &text[..12], &text[..3]] {
            let inspect = engine.containers().inspect(name, false).await.unwrap();
            assert_eq!(inspect.id, id, "{name}");
        }
        let inspect = engine.containers().inspect("web-1", true).await.unwrap();
        assert_eq!(
            (inspect.state.status, inspect.state.exit_code),
            (Status::Created, 0)
        );
        assert_eq!((inspect.path.as_str(), inspect.args.len()), ("true", 0));
        assert_eq!(inspect.config.env, ["PATH=/bin"]);
        assert_eq!(inspect.config.labels["a"], "1");
        assert_eq!(inspect.config.hostname, id.short());
        assert_eq!(inspect.size_rw, Some(0));
        assert!(
            engine
                .containers()
                .list(ListRequest::default())
                .await
                .unwrap()
                .is_empty()
        );
        let list = engine.containers().list(all()).await.unwrap();
        assert_eq!(
            (list[0].name.as_str(), list[0].image.as_str()),
            ("web-1", "busybox")
        );
        // Another process sees the same.
        assert_eq!(place.engine().containers().list(all()).await.unwrap(), list);
        engine
            .containers()
            .remove("web-1", RemoveRequest::default())
            .await
            .unwrap();
        let error = engine
            .containers()
            .inspect("web-1", false)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::NotFound, "No such container: web-1")
        );
    });
    place.assert_sound();
}

#[test]
fn a_name_is_one_containers() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        let id = create(&engine, "web").await;
        let again = request("web", HostConfig::default());
        let error = engine.containers().create(again).await.unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        assert_eq!(
            error.message,
            format!(
                "Conflict. The container name \"/web\" is already in use by container \"{id}\". You have to remove (or \
                 rename) that container to be able to reuse that name."
            )
        );
        // Two processes at once: one of them gets it.
        let racers: Vec<_> = (0..4)
            .map(|_| {
                let engine = place.engine();
                std::thread::spawn(move || {
                    let request = request("race", HostConfig::default());
                    block(async { engine.containers().create(request).await.is_ok() })
                })
            })
            .collect();
        let won = racers
            .into_iter()
            .filter_map(|r| r.join().unwrap().then_some(()))
            .count();
        assert_eq!(won, 1);
        let mut unnamed = request("", HostConfig::default());
        unnamed.name = None;
        let made = engine.containers().create(unnamed).await.unwrap();
        let inspect = engine
            .containers()
            .inspect(&made.id.to_string(), false)
            .await
            .unwrap();
        assert!(inspect.name.contains('_'), "{}", inspect.name);
    });
    place.assert_sound();
}

#[test]
fn what_can_not_be_made_says_why_and_leaves_nothing() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        let none = HostConfig::default;
        let cases = vec![
            ("No such image: nosuch:latest", Kind::NotFound, {
                let mut r = request("bad", none());
                r.config.image = "nosuch".to_owned();
                r
            }),
            (
                "Invalid container name",
                Kind::InvalidParameter,
                request("a b", none()),
            ),
            (
                "bind source path does not exist: /nosuch",
                Kind::InvalidParameter,
                request(
                    "bad",
                    HostConfig {
                        mounts: vec![engine::container::MountRequest {
                            kind: engine::container::MountKind::Bind,
                            source: "/nosuch".to_owned(),
                            target: "/x".to_owned(),
                            read_only: false,
                            consistency: String::new(),
                            bind: None,
                            volume: None,
                            tmpfs: None,
                        }],
                        ..none()
                    },
                ),
            ),
            (
                "unknown capability",
                Kind::InvalidParameter,
                request(
                    "bad",
                    HostConfig {
                        cap_add: vec!["NOPE".to_owned()],
                        ..none()
                    },
                ),
            ),
            (
                "decoding seccomp profile failed",
                Kind::InvalidParameter,
                request(
                    "bad",
                    HostConfig {
                        security_opt: vec!["seccomp={".to_owned()],
                        ..none()
                    },
                ),
            ),
            (
                "invalid ulimit type: x",
                Kind::InvalidParameter,
                request(
                    "bad",
                    HostConfig {
                        ulimits: vec![engine::container::Ulimit {
                            name: "x".into(),
                            soft: 1,
                            hard: 1,
                        }],
                        binds: vec!["fresh:/v".to_owned()],
                        ..none()
                    },
                ),
            ),
        ];
        for (expected, kind, request) in cases {
            let error = engine.containers().create(request).await.unwrap_err();
            assert!(error.message.contains(expected), "{}", error.message);
            assert_eq!(error.kind, kind, "{expected}");
        }
        assert!(engine.containers().list(all()).await.unwrap().is_empty());
        assert!(
            engine
                .volumes()
                .list(engine::volume::VolumeFilters::default())
                .await
                .unwrap()
                .is_empty()
        );
    });
    place.assert_sound();
}

#[test]
fn what_does_not_run_can_not_be_stopped_killed_or_entered() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        let id = create(&engine, "idle").await;
        let containers = engine.containers();
        let stop = containers
            .stop("idle", StopRequest::default())
            .await
            .unwrap_err();
        assert_eq!(stop.kind, Kind::NotModified);
        let kill = containers.kill("idle", None).await.unwrap_err();
        assert_eq!(
            kill.message,
            format!("cannot kill container: idle: container {id} is not running")
        );
        let kill = containers.kill("idle", Some("NOPE")).await.unwrap_err();
        assert_eq!(
            (kill.kind, kill.message.as_str()),
            (Kind::InvalidParameter, "invalid signal: NOPE")
        );
        let config = engine::exec::ExecConfig {
            cmd: vec!["sh".to_owned()],
            ..engine::exec::ExecConfig::default()
        };
        let exec = engine.execs().create("idle", config).await.unwrap_err();
        assert_eq!(
            (exec.kind, exec.message),
            (Kind::Conflict, format!("container {id} is not running"))
        );
        let resize = containers.resize("idle", 1, 1).await.unwrap_err();
        assert_eq!(resize.kind, Kind::Conflict);
        let exit = containers
            .wait("idle", WaitCondition::NotRunning)
            .await
            .unwrap()
            .exit()
            .await
            .unwrap();
        assert_eq!(
            exit,
            Exit {
                code: 0,
                error: None
            }
        );
        assert_eq!(
            engine.execs().inspect("abc").await.unwrap_err().kind,
            Kind::NotFound
        );
    });
    place.assert_sound();
}

#[test]
fn a_start_without_a_monitor_fails_and_is_remembered() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        create(&engine, "idle").await;
        let attached = engine
            .containers()
            .attach(
                "idle",
                engine::container::AttachRequest {
                    stdout: true,
                    stream: true,
                    ..Default::default()
                },
            )
            .await
            .unwrap();
        let waiting = engine
            .containers()
            .wait("idle", WaitCondition::NextExit)
            .await
            .unwrap();
        let error = engine.containers().start("idle").await.unwrap_err();
        assert!(
            error.chain().contains("/nonexistent/tare-monitor"),
            "{}",
            error.chain()
        );
        // Whoever waited is told.
        let mut output = attached.output;
        assert!(output.next().await.is_none());
        assert_eq!(waiting.exit().await.unwrap().code, 128);
        let inspect = engine.containers().inspect("idle", false).await.unwrap();
        assert_eq!(
            (inspect.state.status, inspect.state.exit_code),
            (Status::Created, 128)
        );
        assert!(!inspect.state.error.is_empty());
        engine
            .containers()
            .remove("idle", RemoveRequest::default())
            .await
            .unwrap();
    });
    place.assert_sound();
}

#[test]
fn a_wait_for_removal_ends_with_it() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        create(&engine, "idle").await;
        let waiting = engine
            .containers()
            .wait("idle", WaitCondition::Removed)
            .await
            .unwrap();
        let waiter = tokio::spawn(waiting.exit());
        tokio::task::yield_now().await;
        // By another process: nobody wakes the waiter here.
        place
            .engine()
            .containers()
            .remove("idle", RemoveRequest::default())
            .await
            .unwrap();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(5), waiter).await;
        assert!(
            ended.unwrap().unwrap().is_err(),
            "it never ran, so there is no code"
        );
    });
}

#[test]
fn lists_are_filtered() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        for name in ["one", "two", "three"] {
            let mut request = request(name, HostConfig::default());
            request.config = Config {
                labels: [("n".to_owned(), name.to_owned())].into(),
                ..request.config
            };
            engine.containers().create(request).await.unwrap();
        }
        let names = |filters: Filters| {
            let containers = engine.containers();
            async move {
                let request = ListRequest {
                    all: true,
                    filters,
                    ..ListRequest::default()
                };
                let list = containers.list(request).await.unwrap();
                list.into_iter().map(|c| c.name).collect::<Vec<_>>()
            }
        };
        assert_eq!(names(Filters::default()).await, ["three", "two", "one"]);
        assert_eq!(
            names(Filters {
                since: vec!["one".into()],
                ..Filters::default()
            })
            .await,
            ["three", "two"]
        );
        assert_eq!(
            names(Filters {
                before: vec!["two".into()],
                ..Filters::default()
            })
            .await,
            ["one"]
        );
        assert_eq!(
            names(Filters {
                label: vec!["n=two".into()],
                ..Filters::default()
            })
            .await,
            ["two"]
        );
        assert_eq!(
            names(Filters {
                ancestor: vec!["busybox".into()],
                ..Filters::default()
            })
            .await
            .len(),
            3
        );
        assert_eq!(
            names(Filters {
                ancestor: vec!["other".into()],
                ..Filters::default()
            })
            .await
            .len(),
            0
        );
        let request = ListRequest {
            limit: Some(1),
            ..ListRequest::default()
        };
        assert_eq!(
            engine.containers().list(request).await.unwrap()[0].name,
            "three"
        );
        let wrong = Filters {
            since: vec!["nosuch".into()],
            ..Filters::default()
        };
        let request = ListRequest {
            filters: wrong,
            ..ListRequest::default()
        };
        assert_eq!(
            engine.containers().list(request).await.unwrap_err().kind,
            Kind::NotFound
        );
    });
}

#[test]
fn a_monitor_has_removed_only_what_ended_and_was_to_go() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("bin/true", "x")]).await;
        let to_go = HostConfig {
            auto_remove: true,
            ..HostConfig::default()
        };
        for (name, host, ended, stays) in [
            ("kept", HostConfig::default(), true, true),
            ("waiting", to_go.clone(), false, true),
            ("over", to_go, true, false),
        ] {
            let created = engine.containers().create(request(name, host)).await;
            let id = created.unwrap().id;
            if ended {
                let directory = place.root().join("containers").join(id.to_string());
                std::fs::create_dir_all(&directory).unwrap();
                let record = r#"{"v":1,"code":3,"started_at":5,"finished_at":6}"#;
                std::fs::write(directory.join("exit.json"), record).unwrap();
            }
            engine.containers().remove_exited(&id).await.unwrap();
            let inspect = engine.containers().inspect(name, false).await;
            assert_eq!(inspect.is_ok(), stays, "{name}");
            // Once more: what is gone is no error.
            engine.containers().remove_exited(&id).await.unwrap();
        }
    });
    place.assert_sound();
}
