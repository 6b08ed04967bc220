//! `tare registry serve`: a registry over the engine's own store, or over a storage of its own.

use std::path::PathBuf;
use std::sync::Arc;

use ::registry::server::storage::{Storage, directory};
use ::registry::server::{Access, Listening, Server, Settings as ServerSettings};

use crate::error::{Error, Outcome, Result};
use crate::settings::Settings;
use crate::signals::Signals;
use crate::{connect, output};

pub(crate) use ::registry::server::{
    Damaged, Mode, Retention, Rule, Schedule, SettingsFile, TlsFiles, parse_span,
};

/// Where a registry keeps things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the engine's store.
    Engine,
    /// In a directory of its own.
    Directory(PathBuf),
}

impl Place {
    /// Reads what a user writes: a path; nothing for the engine's store.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self> {
        match text {
            None => Ok(Self::Engine),
            Some(text) if text.contains("://") => Err(Error::usage(format!(
                "storage {text}: expected a directory"
            ))),
            Some(text) => Ok(Self::Directory(text.into())),
        }
    }

    pub(crate) fn open(&self, settings: &Settings) -> Result<Storage> {
        match self {
            Self::Engine => {
                Ok(connect::engine(settings, engine::Prospect::Open)?.registry_storage()?)
            }
            Self::Directory(path) => directory::storage(path).map_err(|e| explain(&e)),
        }
    }
}

/// Everything that was said about how to serve.
pub(crate) struct Serve {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) place: Place,
    pub(crate) server: ServerSettings,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) schedule: Schedule,
}

/// What a registry does that is not told otherwise.
pub(crate) fn defaults() -> ServerSettings {
    ServerSettings {
        clock: || jiff::Timestamp::now().as_second(),
        complain: Arc::new(|error| output::say(&format!("tare registry: {}", error.chain()))),
        ..ServerSettings::default()
    }
}

/// Serves until a signal asks it to end; requests that have begun are finished.
pub(crate) fn serve(serve: Serve, settings: &Settings) -> Outcome {
    let storage = serve.place.open(settings)?;
    run(async {
        let mut signals = Signals::ending()?;
        let open = serve.server.access.is_open();
        let server = Server::open(storage, serve.server).await;
        let server = server.map_err(|e| explain(&e))?;
        let listening = Listening::bind(server.clone(), serve.address, serve.tls).await;
        let listening = listening.map_err(|e| explain(&e))?;
        let address = listening.address().map_err(|e| explain(&e))?;
        output::say(&format!("tare registry: listening on {address}"));
        if open && !address.ip().is_loopback() {
            output::say(
                "tare registry: anybody who reaches this address may change everything: see --htpasswd",
            );
        }
        let stop = async {
            let came = signals.next().await;
            output::say(&format!("tare registry: SIG{}, stopping", came.name));
        };
        tokio::select! {
            () = listening.serve(stop) => {}
            () = server.maintain(serve.schedule) => {}
        }
        Ok(0)
    })
}

/// Runs something with a registry's server that no client sees.
pub(crate) fn with_server<F>(
    place: &Place,
    lease: std::time::Duration,
    settings: &Settings,
    act: impl FnOnce(Server) -> F,
) -> Outcome
where
    F: Future<Output = ::registry::Result<u8>>,
{
    let storage = place.open(settings)?;
    let server = ServerSettings {
        lease,
        ..defaults()
    };
    run(async {
        let server = Server::open(storage, server).await;
        let server = server.map_err(|e| explain(&e))?;
        act(server).await.map_err(|e| explain(&e))
    })
}

fn run(act: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|why| Error::io("start", "the runtime", why))?;
    let outcome = runtime.block_on(act);
    runtime.shutdown_background();
    outcome
}

/// Users, if there are any.
pub(crate) fn access(htpasswd: Option<PathBuf>, rules: Vec<Rule>) -> Result<Access> {
    match htpasswd {
        None => Ok(Access::open()),
        Some(path) => Access::users(path, rules).map_err(|e| explain(&e)),
    }
}

pub(crate) fn explain(error: &::registry::Error) -> Error {
    let text = Error::local(error.chain());
    match &error.hint {
        Some(hint) => text.with_hint(hint.clone()),
        None => text,
    }
}
