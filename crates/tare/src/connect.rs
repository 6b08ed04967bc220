//! Which engine a command talks to, and how.
//!
//! The command's own engine sits behind the same interface as a daemon's: the same router, served over a stream in
//! memory, so that there is one way to do a thing and not two.

use crate::error::{Error, Result};
use crate::settings::{Host, Settings};
use client::{Client, Connector};
use engine::{Binaries, Config, Engine, Paths, Prospect};

/// What a stream in memory holds before its writer waits. Output of containers goes through it: a pipe's capacity.
const BUFFER: usize = 64 << 10;

/// The client of the engine that the settings name.
pub(crate) async fn client(settings: &Settings, prospect: Prospect) -> Result<Client> {
    match &settings.host {
        Host::Unix(path) => Ok(Client::new(Connector::unix(path.clone()))),
        Host::Embedded => embedded(settings, prospect),
        Host::Auto => {
            let socket = settings.socket();
            if tokio::net::UnixStream::connect(&socket).await.is_ok() {
                return Ok(Client::new(Connector::unix(socket)));
            }
            embedded(settings, prospect)
        }
    }
}

fn embedded(settings: &Settings, prospect: Prospect) -> Result<Client> {
    let router = server::router(engine(settings, prospect)?);
    let connect = move || {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        // It ends when the client drops its side, or with the process.
        drop(tokio::spawn(server::serve_own(theirs, router.clone())));
        std::future::ready(Ok(ours))
    };
    Ok(Client::new(Connector::new("the embedded engine", connect)))
}

/// Where registries are and whom to trust there.
fn registries(settings: &Settings) -> engine::RegistrySettings {
    let set = &settings.registries;
    engine::RegistrySettings {
        rules: registry::Rules {
            directories: set.directories.clone(),
            insecure: set.insecure.clone(),
            mirrors: set.mirrors.clone(),
        },
        proxies: registry::Proxies {
            http: set.http_proxy.clone(),
            https: set.https_proxy.clone(),
            no: set.no_proxy.clone(),
        },
        ..engine::RegistrySettings::default()
    }
}

/// The engine of these settings, opened in this process.
pub(crate) fn engine(settings: &Settings, prospect: Prospect) -> Result<Engine> {
    let tare =
        std::env::current_exe().map_err(|why| Error::io("find", "the running program", why))?;
    let config = Config {
        paths: Paths {
            root: settings.root.clone(),
            run: settings.run_root.clone(),
        },
        binaries: Binaries {
            monitor: tare.with_file_name("tare-monitor"),
            tare,
        },
        cgroup_parent: settings.cgroup_parent.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        prospect,
        registry: registries(settings),
    };
    Engine::open(config).map_err(|error| {
        let error = Error::from(error);
        let denied = error.message().contains("ermission denied");
        if denied && error.hint().is_none() {
            return error.with_hint("run it as root, or ask a daemon with '-H unix:///path'; rootless engines are not there yet");
        }
        error
    })
}
