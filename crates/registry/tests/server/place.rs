//! A server on a port of its own, and a client of a few lines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use registry::server::storage::{Storage, directory, memory};
use registry::server::{Listening, Server, Settings};
use spec::Digest;
use tokio::sync::oneshot;

/// A server, its storage, and what it complained about.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) server: Server,
    pub(crate) storage: Storage,
    pub(crate) complaints: Arc<Mutex<Vec<String>>>,
    pub(crate) name: &'static str,
    stop: Option<oneshot::Sender<()>>,
    _directory: Option<tempfile::TempDir>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The specification's code of a refusal.
    pub(crate) fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        json["errors"][0]["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(answer.code(), code);
        answer
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        lease: Duration::from_secs(3600),
        ..Settings::default()
    }
}

impl Place {
    /// One of each kind of storage.
    pub(crate) async fn each() -> Vec<Self> {
        vec![
            Self::memory(settings()).await,
            Self::directory(settings()).await,
        ]
    }

    pub(crate) async fn memory(settings: Settings) -> Self {
        Self::start("memory", memory::storage(), settings, None).await
    }

    pub(crate) async fn directory(settings: Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let storage = directory::storage(dir.path()).unwrap();
        Self::start("directory", storage, settings, Some(dir)).await
    }

    pub(crate) async fn start(
        name: &'static str,
        storage: Storage,
        settings: Settings,
        directory: Option<tempfile::TempDir>,
    ) -> Self {
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&complaints);
        let complain = move |error: &registry::Error| heard.lock().unwrap().push(error.chain());
        let settings = Settings {
            complain: Arc::new(complain),
            ..settings
        };
        let server = Server::open(storage.clone(), settings).await.unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let listening = Listening::bind(server.clone(), address, None)
            .await
            .unwrap();
        let address = listening.address().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        drop(tokio::spawn(listening.serve(async {
            drop(stopped.await);
        })));
        Self {
            address,
            server,
            storage,
            complaints,
            name,
            stop: Some(stop),
            _directory: directory,
        }
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        drop(tokio::spawn(connection));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "registry");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let status = head.status.as_u16();
        assert_eq!(
            head.headers["docker-distribution-api-version"],
            "registry/2.0"
        );
        if StatusCode::from_u16(status).unwrap().is_server_error() {
            panic!(
                "{method_path}: {status}: {:?}",
                self.complaints.lock().unwrap(),
                method_path = path
            );
        }
        Answer {
            status,
            headers: head.headers,
            body,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.ask("HEAD", path, &[], "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, &[], "").await
    }

    /// Begins an upload and gives its location.
    pub(crate) async fn begin(&self, repository: &str) -> String {
        let begun = self
            .ask("POST", &format!("/v2/{repository}/blobs/uploads/"), &[], "")
            .await
            .is(202);
        begun.header("location").to_owned()
    }

    /// Pushes a blob at once.
    pub(crate) async fn push(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.ask("POST", &path, &[], content.to_vec()).await.is(201);
        digest
    }

    /// Pushes an image of one layer.
    pub(crate) async fn image(
        &self,
        repository: &str,
        tag: &str,
        layer: &[u8],
    ) -> (Digest, String) {
        let config = self.push(repository, b"{}").await;
        let digest = self.push(repository, layer).await;
        let manifest = image_of(&config, 2, &digest, layer.len());
        self.put(repository, tag, &manifest).await.is(201);
        (Digest::of(&manifest), manifest)
    }

    pub(crate) async fn put(&self, repository: &str, reference: &str, manifest: &str) -> Answer {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let json: serde_json::Value = serde_json::from_str(manifest).unwrap();
        let kind = json["mediaType"].as_str().unwrap_or(OCI).to_owned();
        self.ask(
            "PUT",
            &path,
            &[("content-type", &kind)],
            manifest.to_owned(),
        )
        .await
    }

    /// Ends it: nothing may have gone wrong on its side.
    pub(crate) fn end(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        let complaints = self.complaints.lock().unwrap();
        assert!(complaints.is_empty(), "{}: {complaints:?}", self.name);
    }
}

pub(crate) const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(crate) fn image_of(config: &Digest, size: usize, layer: &Digest, length: usize) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":{size}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":{length}}}]}}"#
    )
}
