use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::span;
use crate::error::{Error, Outcome, Result};
use crate::registry::{
    self as door, Damaged, Mode, Place, Retention, Rule, Schedule, Serve, SettingsFile, TlsFiles,
};
use crate::settings::Settings;

/// Serve a registry from the engine's own store, or from another storage
///
/// Without options everybody on this machine may push to and pull from localhost:5000. With --htpasswd, users may do everything, unless
/// the rules of a --config file say otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address to listen on
    #[arg(long, value_name = "ip:port")]
    addr: Option<SocketAddr>,
    /// Keep everything in a directory, or in a bucket (s3://bucket/prefix; keys, region and endpoint by the AWS_ variables), instead of the engine's store
    #[arg(long, value_name = "place")]
    storage: Option<String>,
    /// Settings in TOML; options come before them
    #[arg(long, value_name = "file")]
    config: Option<PathBuf>,
    /// Users and their passwords, made by 'htpasswd -B'
    #[arg(long, value_name = "file")]
    htpasswd: Option<PathBuf>,
    /// Let those without a name pull
    #[arg(long, requires = "htpasswd")]
    anonymous_pull: bool,
    /// Certificate with its chain, read again when it changes
    #[arg(long, value_name = "pem", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate
    #[arg(long, value_name = "pem", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities of clients: whoever shows none of their certificates is turned away
    #[arg(long, value_name = "pem", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// How clients reach the registry, if not by the name that they use
    #[arg(long, value_name = "url")]
    url: Option<String>,
    /// Cache a registry below a prefix: docker.io, or hub=docker.io; may be given again
    #[arg(long, value_name = "[prefix=]registry")]
    mirror: Vec<String>,
    /// Change nothing
    #[arg(long)]
    read_only: bool,
    /// How long what nobody refers to is kept (default 24h)
    #[arg(long, value_name = "time", value_parser = span)]
    lease: Option<Duration>,
    /// How long manifests without a tag are kept (default: always)
    #[arg(long, value_name = "time", value_parser = span)]
    untagged: Option<Duration>,
    /// How often to take away what nobody needs (default 1h)
    #[arg(long, value_name = "time", value_parser = span)]
    collect_every: Option<Duration>,
    /// How often to compare all blobs with their digests (default 7d)
    #[arg(long, value_name = "time", value_parser = span)]
    scrub_every: Option<Duration>,
}

pub(crate) fn run(args: Args, settings: &Settings) -> Outcome {
    let file = match &args.config {
        None => SettingsFile::default(),
        Some(path) => read(path)?,
    };
    door::serve(settle(args, file, settings)?, settings)
}

fn read(path: &Path) -> Result<SettingsFile> {
    let text =
        std::fs::read_to_string(path).map_err(|why| Error::io("read", path.display(), why))?;
    SettingsFile::parse(&text)
        .map_err(|why| Error::local(format!("read {}: {why}", path.display())))
}

/// What options say, then the file, then the defaults.
fn settle(args: Args, file: SettingsFile, settings: &Settings) -> Result<Serve> {
    let mut rules = file.rules().map_err(Error::local)?;
    if args.anonymous_pull {
        rules.push(Rule::anonymous_pull());
    }
    let of_args = args.tls_cert.zip(args.tls_key);
    let of_args = of_args.map(|(certificate, key)| TlsFiles {
        certificate,
        key,
        clients: args.tls_client_ca,
    });
    let mut server = door::defaults();
    server.access = Arc::new(door::access(args.htpasswd.or(file.htpasswd), rules)?);
    let storage = args.storage.or(file.storage);
    let place = Place::parse(storage.as_deref())?;
    let upstreams: Vec<String> = args.mirror.into_iter().chain(file.mirrors).collect();
    server.mirrors = door::mirrors(&upstreams, &place.scratch(settings))?;
    server.url = args.url.or(file.url);
    server.lease = args.lease.or(file.lease).unwrap_or(server.lease);
    server.limits.upload_age = file.upload_age.unwrap_or(server.limits.upload_age);
    server.limits.blob = file.largest_blob.unwrap_or(server.limits.blob);
    if args.read_only || file.read_only {
        server.mode = Mode::ReadOnly;
    }
    let usual = Schedule::default();
    let scrub = args.scrub_every.or(file.scrub_every).or(usual.scrub);
    let schedule = match server.mode {
        Mode::ReadOnly => Schedule {
            expire: None,
            collect: None,
            scrub,
            damaged: Damaged::Report,
            ..usual
        },
        Mode::ReadWrite => Schedule {
            collect: args.collect_every.or(file.collect_every).or(usual.collect),
            scrub,
            retention: Retention {
                untagged: args.untagged.or(file.untagged),
            },
            ..usual
        },
    };
    Ok(Serve {
        address: args
            .addr
            .or(file.address)
            .unwrap_or_else(|| ([127, 0, 0, 1], 5000).into()),
        place,
        server,
        tls: of_args.or(file.tls),
        schedule,
    })
}
