//! A throw-away engine.

use std::future::Future;
use std::path::PathBuf;

use engine::container::{Config, CreateRequest, HostConfig};
use engine::image::{LoadRequest, Loaded};
use engine::{Binaries, Engine, Paths};
use spec::ContainerId;

use crate::archive::{Image, docker};

pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::open(engine::Config {
            paths: Paths {
                root: self.root(),
                run: self.run(),
            },
            binaries: Binaries {
                monitor: "/nonexistent/tare-monitor".into(),
                tare: "/nonexistent/tare".into(),
            },
            cgroup_parent: format!("/tare-test-{}", std::process::id()),
            version: "1".to_owned(),
            prospect: engine::Prospect::Open,
            registry: engine::RegistrySettings::default(),
        })
        .unwrap()
    }

    /// Everything is sound, and nothing was left.
    #[track_caller]
    pub(crate) fn assert_sound(&self) {
        let findings = block(async { self.engine().system().check().await.unwrap() });
        assert_eq!(findings, []);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(self.run().join("layers"))
            .into_iter()
            .flatten()
            .flatten()
        {
            rustix::mount::unmount(entry.path(), rustix::mount::UnmountFlags::DETACH).ok();
        }
        rustix::mount::unmount(
            self.run().join("layers"),
            rustix::mount::UnmountFlags::DETACH,
        )
        .ok();
    }
}

pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Loads an image of one layer with these files, tagged `busybox:latest`.
pub(crate) async fn load(engine: &Engine, files: &[(&str, &str)]) -> Loaded {
    let image = Image::new(&[files]);
    let archive = docker(&[(&image, &["busybox:latest"])]);
    engine
        .images()
        .load(LoadRequest::default(), std::io::Cursor::new(archive))
        .await
        .unwrap()
}

pub(crate) fn request(name: &str, host: HostConfig) -> CreateRequest {
    CreateRequest {
        name: Some(name.to_owned()),
        platform: None,
        config: Config {
            image: "busybox".to_owned(),
            cmd: Some(vec!["true".to_owned()]),
            ..Config::default()
        },
        host: HostConfig {
            network_mode: "none".to_owned(),
            ..host
        },
        networks: std::collections::BTreeMap::new(),
    }
}

pub(crate) async fn create(engine: &Engine, name: &str) -> ContainerId {
    let created = engine
        .containers()
        .create(request(name, HostConfig::default()))
        .await
        .unwrap();
    assert_eq!(created.warnings, Vec::<String>::new());
    created.id
}
