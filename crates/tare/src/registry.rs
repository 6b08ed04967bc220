//! `tare registry serve`: a registry over the engine's own store, or over a storage of its own.

use std::path::PathBuf;
use std::sync::Arc;

use ::registry::client::{Client, Settings as ClientSettings};
use ::registry::server::storage::bucket::{BucketSettings, Keys};
use ::registry::server::storage::{Storage, directory, object};
use ::registry::server::{
    Access, Listening, Mirrors, Server, Settings as ServerSettings, Upstream,
};
use ::registry::{Lookup, Proxies, Rules};

use crate::error::{Error, Outcome, Result};
use crate::settings::{Settings, environment};
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
    /// In a bucket of an object store, below a prefix.
    Bucket { bucket: String, prefix: String },
}

impl Place {
    /// Reads what a user writes: a path or `s3://bucket/prefix`; nothing for the engine's store.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self> {
        match text {
            None => Ok(Self::Engine),
            Some(text) if text.contains("://") => {
                let of_s3 = text.strip_prefix("s3://").filter(|rest| !rest.is_empty());
                let why = || format!("storage {text}: expected a directory or s3://bucket/prefix");
                let rest = of_s3.ok_or_else(|| Error::usage(why()))?;
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let prefix = prefix.trim_matches('/');
                let end = if prefix.is_empty() { "" } else { "/" };
                Ok(Self::Bucket {
                    bucket: bucket.to_owned(),
                    prefix: format!("{prefix}{end}"),
                })
            }
            Some(text) => Ok(Self::Directory(text.into())),
        }
    }

    /// Where files that come are before they are whole.
    pub(crate) fn scratch(&self, settings: &Settings) -> PathBuf {
        match self {
            Self::Directory(path) => path.join("scratch"),
            Self::Engine | Self::Bucket { .. } => settings.root.join("registry/scratch"),
        }
    }

    pub(crate) fn open(&self, settings: &Settings) -> Result<Storage> {
        match self {
            Self::Engine => {
                Ok(connect::engine(settings, engine::Prospect::Open)?.registry_storage()?)
            }
            Self::Directory(path) => directory::storage(path).map_err(|e| explain(&e)),
            Self::Bucket { bucket, prefix } => {
                object::storage(of_environment(bucket, prefix)).map_err(|e| explain(&e))
            }
        }
    }
}

/// A bucket, with what the variables say that all tools of object stores read.
fn of_environment(bucket: &str, prefix: &str) -> BucketSettings {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"));
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let endpoint = set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL"));
    let keys = set("AWS_ACCESS_KEY_ID").zip(set("AWS_SECRET_ACCESS_KEY"));
    BucketSettings {
        endpoint: endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com")),
        region,
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        keys: keys.map(|(id, secret)| Keys {
            id,
            secret,
            token: set("AWS_SESSION_TOKEN"),
        }),
        lookup: Lookup::default(),
        proxies: proxies(),
        clock: || jiff::Timestamp::now().as_second(),
    }
}

fn proxies() -> Proxies {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let either = |lower: &str, upper: &str| set(lower).or_else(|| set(upper));
    Proxies {
        http: either("http_proxy", "HTTP_PROXY"),
        https: either("https_proxy", "HTTPS_PROXY"),
        no: either("no_proxy", "NO_PROXY").unwrap_or_default(),
    }
}

/// A client for what is cached, and its upstreams: each `prefix=registry`, or a registry that is its own prefix.
pub(crate) fn mirrors(
    upstreams: &[String],
    scratch: &std::path::Path,
) -> Result<Option<Arc<Mirrors>>> {
    if upstreams.is_empty() {
        return Ok(None);
    }
    let upstreams = upstreams.iter().map(|text| {
        let (prefix, registry) = text.split_once('=').unwrap_or((text, text));
        Upstream {
            prefix: prefix.to_owned(),
            registry: registry.to_owned(),
            credentials: ::registry::Credentials::Anonymous,
        }
    });
    let client = Client::new(ClientSettings {
        rules: Rules {
            directories: TRUST.iter().map(PathBuf::from).collect(),
            ..Rules::default()
        },
        proxies: proxies(),
        ..ClientSettings::default()
    });
    std::fs::create_dir_all(scratch).map_err(|why| Error::io("create", scratch.display(), why))?;
    let mirrors = Mirrors::new(client, upstreams.collect(), scratch.to_owned(), FRESH);
    mirrors.map(|m| Some(Arc::new(m))).map_err(|e| explain(&e))
}

/// Where rules of trust for registries are.
const TRUST: &[&str] = &["/etc/docker/certs.d", "/etc/containerd/certs.d"];
/// How long a tag of a cache is not compared with its upstream.
const FRESH: std::time::Duration = std::time::Duration::from_secs(60);

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
