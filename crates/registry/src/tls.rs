//! TLS: the one place that names a provider of cryptography.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::error::{Error, Result};
use crate::host::Trust;

/// Who does the arithmetic. `ring` builds without cmake and is small; its last release is old, so this function is all that
/// has to change for another.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Where systems keep the authorities that they trust; the first that is there counts.
const SYSTEM_AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How to speak TLS to a host.
pub(crate) fn client(trust: &Trust, system: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::system("set up", "TLS", e))?;
    let builder = if trust.anybody {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider())))
    } else {
        builder.with_root_certificates(roots(trust, system)?)
    };
    let config = match trust.clients.first() {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let (chain, key) = identity(certificate, key.as_deref())?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| Error::system("use client certificate", certificate.display(), e))?
        }
    };
    Ok(Arc::new(config))
}

fn roots(trust: &Trust, system: Option<&Path>) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let system = system.map(PathBuf::from).or_else(|| {
        let mut places = SYSTEM_AUTHORITIES.iter().map(PathBuf::from);
        places.find(|path| path.exists())
    });
    if let Some(path) = system {
        // A bundle may hold certificates that are none by today's rules: those are passed over, as others do.
        store.add_parsable_certificates(certificates(&path)?);
    }
    for path in &trust.authorities {
        for certificate in certificates(path)? {
            store
                .add(certificate)
                .map_err(|e| Error::system("read certificate", path.display(), e))?;
        }
    }
    Ok(store)
}

/// The certificates of a PEM file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|e| Error::system("read certificate", path.display(), e))
}

/// A certificate with its chain, and its key.
pub(crate) fn identity(
    certificate: &Path,
    key: Option<&Path>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = certificates(certificate)?;
    let path = key.unwrap_or(certificate);
    let key = PrivateKeyDer::from_pem_file(path)
        .map_err(|e| Error::system("read key", path.display(), e))?;
    Ok((chain, key))
}

/// Takes any certificate: for hosts that somebody declared insecure.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
