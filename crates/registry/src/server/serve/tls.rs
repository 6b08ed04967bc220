//! TLS of a server: its certificate, and whose clients it talks to; read again when the files change.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::error::{Error, Result};
use crate::tls::{certificates, identity, provider};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Files for TLS.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate and those between it and its authority, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
    /// The authorities of clients, as PEM: whoever shows none of their certificates is turned away. None: no client needs one.
    pub clients: Option<PathBuf>,
}

/// What connections are begun with.
#[derive(Debug)]
pub(super) struct Tls {
    files: TlsFiles,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    stamps: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Tls {
    pub(super) fn open(files: TlsFiles) -> Result<Self> {
        let current = Current {
            stamps: stamps(&files),
            config: config(&files)?,
            looked: Instant::now(),
        };
        Ok(Self {
            files,
            current: Mutex::new(current),
        })
    }

    /// For a new connection. Files that make no sense are told, and the last that did stay.
    pub(super) fn config(&self, complain: impl FnOnce(&Error)) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= LOOK {
            current.looked = Instant::now();
            let stamps = stamps(&self.files);
            if stamps != current.stamps {
                current.stamps = stamps;
                match config(&self.files) {
                    Ok(config) => current.config = config,
                    Err(error) => complain(&error),
                }
            }
        }
        Arc::clone(&current.config)
    }
}

fn stamps(files: &TlsFiles) -> Vec<Option<SystemTime>> {
    let clients = files.clients.iter();
    let all = [&files.certificate, &files.key].into_iter().chain(clients);
    all.map(|path| fs::metadata(path).and_then(|m| m.modified()).ok())
        .collect()
}

fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>> {
    let (chain, key) = identity(&files.certificate, Some(&files.key))?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::system("set up", "TLS", e))?;
    let builder = match &files.clients {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|e| Error::system("read certificate", path.display(), e))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                .build()
                .map_err(|e| Error::system("read certificate", path.display(), e))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|e| Error::system("use certificate", files.certificate.display(), e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
