//! The whole way from a client through the router to an engine that has nothing yet.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;

use api::container::CreateRequest;
use api::exec::ExecConfig;
use api::volume::VolumeCreateRequest;
use api::{ApiVersion, Filters};
use client::{
    AttachQuery, Client, Connector, ContainerListQuery, ImageImport, ImageListQuery, ImagePull,
    LogsQuery, WaitCondition,
};
use engine::{Binaries, Config, Engine, Paths};

fn client(directory: &Path) -> Client {
    let engine = Engine::open(Config {
        paths: Paths {
            root: directory.join("root"),
            run: directory.join("run"),
        },
        binaries: Binaries {
            monitor: "/nonexistent".into(),
            tare: "/nonexistent".into(),
        },
        cgroup_parent: "/tare-test".to_owned(),
        version: "1.2.3".to_owned(),
        prospect: engine::Prospect::Open,
        registry: engine::RegistrySettings::default(),
    })
    .unwrap();
    let router = server::router(engine);
    Client::new(Connector::new("memory", move || {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        tokio::spawn(server::serve_stream(theirs, router.clone()));
        async { Ok(ours) }
    }))
}

#[tokio::test]
async fn the_engine_and_its_machine() {
    let directory = tempfile::tempdir().unwrap();
    let client = client(directory.path());
    assert_eq!(
        client.system().ping().await.unwrap().api_version,
        Some(ApiVersion::MAX)
    );
    let version = client.system().version().await.unwrap();
    assert_eq!(
        (version.version.as_str(), version.os.as_str()),
        ("1.2.3", "linux")
    );
    assert_eq!(version.api_version, ApiVersion::MAX.to_string());
    let info = client.system().info().await.unwrap();
    assert_eq!(
        (info.containers, info.images, info.server_version.as_str()),
        (0, 0, "1.2.3")
    );
    assert!(info.ncpu > 0 && info.mem_total > 0 && !info.kernel_version.is_empty());
}

#[tokio::test]
async fn empty_lists() {
    let directory = tempfile::tempdir().unwrap();
    let client = client(directory.path());
    let all = ContainerListQuery {
        all: true,
        ..ContainerListQuery::default()
    };
    assert_eq!(client.containers().list(&all).await.unwrap(), []);
    assert_eq!(
        client
            .images()
            .list(&ImageListQuery::default())
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        client
            .volumes()
            .list(&Filters::default())
            .await
            .unwrap()
            .volumes,
        []
    );
    let networks = client.networks().list(&Filters::default()).await.unwrap();
    let names: Vec<_> = networks
        .iter()
        .map(|network| network.name.as_str())
        .collect();
    assert_eq!(names, ["bridge", "host", "none"]);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_dockers_words() {
    let directory = tempfile::tempdir().unwrap();
    let client = client(directory.path());
    let containers = client.containers();
    let no_container = |error: client::Error| {
        assert_eq!(error.status(), Some(404));
        assert_eq!(error.to_string(), "No such container: web");
    };
    no_container(containers.inspect("web").await.unwrap_err());
    no_container(containers.start("web").await.unwrap_err());
    no_container(containers.stop("web", None, None).await.unwrap_err());
    no_container(containers.restart("web", None, None).await.unwrap_err());
    no_container(containers.kill("web", Some("TERM")).await.unwrap_err());
    no_container(containers.remove("web", true, true).await.unwrap_err());
    no_container(containers.resize("web", 1, 1).await.unwrap_err());
    no_container(
        containers
            .wait("web", WaitCondition::NextExit)
            .await
            .unwrap_err(),
    );
    no_container(
        containers
            .attach("web", &AttachQuery::default())
            .await
            .unwrap_err(),
    );
    let logs = LogsQuery {
        stdout: true,
        ..LogsQuery::default()
    };
    no_container(containers.logs("web", &logs).await.unwrap_err());
    let exec = ExecConfig {
        cmd: Some(vec!["ls".to_owned()]),
        ..ExecConfig::default()
    };
    no_container(containers.exec("web", &exec).await.unwrap_err());

    let mut request = CreateRequest::default();
    request.config.image = "busybox".to_owned();
    let error = containers.create("web", "", &request).await.unwrap_err();
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (Some(404), "No such image: busybox:latest")
    );
    let error = client.images().inspect("a/b/c:d").await.unwrap_err();
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (Some(404), "No such image: a/b/c:d")
    );
    assert_eq!(
        client
            .images()
            .tag("busybox", "x", "")
            .await
            .unwrap_err()
            .status(),
        Some(404)
    );
    assert_eq!(
        client
            .images()
            .history("busybox")
            .await
            .unwrap_err()
            .status(),
        Some(404)
    );
    assert_eq!(
        client
            .images()
            .remove("busybox", false, false)
            .await
            .unwrap_err()
            .status(),
        Some(404)
    );
    assert_eq!(
        client.volumes().inspect("data").await.unwrap_err().status(),
        Some(404)
    );
    assert_eq!(
        client.execs().inspect("abc").await.unwrap_err().status(),
        Some(404)
    );
}

#[tokio::test]
async fn wrong_parameters() {
    let directory = tempfile::tempdir().unwrap();
    let client = client(directory.path());
    let logs = client
        .containers()
        .logs("web", &LogsQuery::default())
        .await
        .unwrap_err();
    assert_eq!(logs.status(), Some(400));
    assert!(
        logs.to_string()
            .contains("you must choose at least one stream")
    );
    let exec = client
        .containers()
        .exec("web", &ExecConfig::default())
        .await
        .unwrap_err();
    assert_eq!(
        (exec.status(), exec.to_string().as_str()),
        (Some(400), "No exec command specified")
    );
    for (repository, auth, status) in [
        ("UPPER", "", 400),
        ("busybox", "%", 400),
        // Nobody listens on this port.
        ("127.0.0.1:1/busybox", "", 500),
    ] {
        let pull = ImagePull {
            repository: repository.to_owned(),
            tag: "latest".to_owned(),
            registry_auth: auth.to_owned(),
            ..ImagePull::default()
        };
        let refused = client.images().pull(&pull).await.unwrap_err();
        assert_eq!(refused.status(), Some(status), "{refused}");
    }
    let import = ImageImport {
        repository: "UPPER".to_owned(),
        ..ImageImport::default()
    };
    let import = client.images().import(&import, &b""[..]).await.unwrap_err();
    assert_eq!(import.status(), Some(400));
    let old = client
        .with_version(ApiVersion::new(1, 12))
        .system()
        .info()
        .await
        .unwrap_err();
    assert_eq!(old.status(), Some(400));
    assert!(
        old.to_string()
            .starts_with("client version 1.12 is too old."),
        "{old}"
    );
}

#[tokio::test]
async fn archives_that_are_none() {
    let directory = tempfile::tempdir().unwrap();
    let client = client(directory.path());
    let load = client
        .images()
        .load(&b"this is no archive"[..], true, "")
        .await
        .unwrap_err();
    assert!(
        load.status()
            .is_some_and(|status| (400..500).contains(&status)),
        "{load:?}"
    );
    assert_eq!(
        client
            .images()
            .list(&ImageListQuery::default())
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn a_volumes_life() {
    let directory = tempfile::tempdir().unwrap();
    let client = client(directory.path());
    let request = VolumeCreateRequest {
        name: "data".to_owned(),
        labels: [("a".to_owned(), "b".to_owned())].into(),
        ..VolumeCreateRequest::default()
    };
    let made = client.volumes().create(&request).await.unwrap();
    assert_eq!(
        (made.name.as_str(), made.driver.as_str()),
        ("data", "local")
    );
    assert_eq!(client.volumes().inspect("data").await.unwrap(), made);
    let mut filters = Filters::default();
    filters.add("label", "a=b");
    assert_eq!(
        client.volumes().list(&filters).await.unwrap().volumes,
        [made]
    );
    filters.add("label", "a=c");
    assert_eq!(client.volumes().list(&filters).await.unwrap().volumes, []);
    client.volumes().remove("data", false).await.unwrap();
    assert_eq!(
        client
            .volumes()
            .remove("data", false)
            .await
            .unwrap_err()
            .status(),
        Some(404)
    );
    client.volumes().remove("data", true).await.unwrap();
}
