//! TLS: with a certificate that changes, and with clients that must show theirs; met by our own client.

use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use registry::client::{Access, Client, Repository, Settings};
use registry::server::storage::memory;
use registry::server::{Listening, Server, TlsFiles};
use registry::{Credentials, Kind, Rules};
use spec::Reference;

use super::place::settings;

struct Authority(CertifiedIssuer<'static, KeyPair>);

fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::io::Write::write_all(&mut std::fs::File::create(&new).unwrap(), text.as_bytes()).unwrap();
    std::fs::rename(new, path).unwrap();
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for this machine, and its key.
    fn issue(&self, certificate: &Path, key: &Path) {
        let pair = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        put(
            certificate,
            &params.signed_by(&pair, &self.0).unwrap().pem(),
        );
        put(key, &pair.serialize_pem());
    }
}

async fn serve(tls: TlsFiles) -> String {
    let server = Server::open(memory::storage(), settings()).await.unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let listening = Listening::bind(server, address, Some(tls)).await.unwrap();
    let address = listening.address().unwrap().to_string();
    drop(tokio::spawn(listening.serve(std::future::pending())));
    address
}

fn client(address: &str, certs: &Path) -> Repository {
    let reference = Reference::parse(&format!("{address}/a")).unwrap();
    let client = Client::new(Settings {
        rules: Rules {
            directories: vec![certs.to_owned()],
            ..Rules::default()
        },
        ..Settings::default()
    });
    client
        .repository(&reference, &Credentials::Anonymous, Access::Pull)
        .unwrap()
}

#[tokio::test]
async fn a_certificate_is_read_again() {
    let place = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        certificate: place.path().join("cert.pem"),
        key: place.path().join("key.pem"),
        clients: None,
    };
    let (first, second) = (Authority::new(), Authority::new());
    first.issue(&files.certificate, &files.key);
    let address = serve(files.clone()).await;
    let trust = place.path().join("certs").join(&address);
    std::fs::create_dir_all(&trust).unwrap();
    put(&trust.join("ca.crt"), &first.0.pem());
    let missing = client(&address, &place.path().join("certs"))
        .manifest("v1")
        .await;
    assert_eq!(missing.unwrap_err().kind, Kind::NotFound);
    second.issue(&files.certificate, &files.key);
    put(&trust.join("ca.crt"), &second.0.pem());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let missing = client(&address, &place.path().join("certs"))
        .manifest("v1")
        .await;
    assert_eq!(missing.unwrap_err().kind, Kind::NotFound);
    // What makes no sense changes nothing.
    put(&files.key, "no key");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let missing = client(&address, &place.path().join("certs"))
        .manifest("v1")
        .await;
    assert_eq!(missing.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn clients_show_their_certificate() {
    let place = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        certificate: place.path().join("cert.pem"),
        key: place.path().join("key.pem"),
        clients: Some(place.path().join("clients.pem")),
    };
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.issue(&files.certificate, &files.key);
    put(files.clients.as_ref().unwrap(), &authority.0.pem());
    let address = serve(files).await;
    let trust = place.path().join("certs").join(&address);
    std::fs::create_dir_all(&trust).unwrap();
    put(&trust.join("ca.crt"), &authority.0.pem());
    let turned_away = client(&address, &place.path().join("certs"))
        .manifest("v1")
        .await;
    assert_ne!(turned_away.unwrap_err().kind, Kind::NotFound);
    stranger.issue(&trust.join("client.cert"), &trust.join("client.key"));
    let turned_away = client(&address, &place.path().join("certs"))
        .manifest("v1")
        .await;
    assert_ne!(turned_away.unwrap_err().kind, Kind::NotFound);
    authority.issue(&trust.join("client.cert"), &trust.join("client.key"));
    let missing = client(&address, &place.path().join("certs"))
        .manifest("v1")
        .await;
    assert_eq!(missing.unwrap_err().kind, Kind::NotFound);
}
