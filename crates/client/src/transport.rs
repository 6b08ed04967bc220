//! One request over one connection.

use api::{ApiVersion, Query};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body as _;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use crate::connector::{Connector, Io};
use crate::error::{Error, Kind, Result};
use crate::patient::Patient;
use crate::stream::{Download, Hijacked};
use crate::upload::Upload;
use crate::{Builds, Containers, Execs, Files, Images, Networks, Prune, System, Volumes};

/// An answer that is decoded as a whole may not be larger: inspections and lists are far smaller.
const MAX_ANSWER: usize = 64 << 20;

/// A client of an engine. Cheap to clone; requests may run at once.
#[derive(Debug, Clone)]
pub struct Client {
    connector: Connector,
    version: ApiVersion,
}

/// Ends the connection when the answer is dropped.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A request, apart from where it goes.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) query: Query,
    pub(crate) content_type: Option<&'static str>,
    /// What the engine is to show to a registry: the value of `X-Registry-Auth`.
    pub(crate) registry_auth: Option<&'a str>,
    pub(crate) body: Upload,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            query: Query::new(),
            content_type: None,
            registry_auth: None,
            body: Upload::none(),
        }
    }

    pub(crate) fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: &'a str) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn delete(path: &'a str) -> Self {
        Self::new(Method::DELETE, path)
    }

    pub(crate) fn query(mut self, query: Query) -> Self {
        self.query = query;
        self
    }

    pub(crate) fn registry_auth(mut self, value: &'a str) -> Self {
        self.registry_auth = Some(value);
        self
    }

    pub(crate) fn json(mut self, value: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_vec(value).map_err(|e| Error::protocol("encode request", e))?;
        self.content_type = Some("application/json");
        self.body = Upload::Whole(json.into());
        Ok(self)
    }

    pub(crate) fn tar(mut self, body: Upload) -> Self {
        self.content_type = Some("application/x-tar");
        self.body = body;
        self
    }
}

impl Client {
    /// A client that speaks the newest version.
    #[must_use]
    pub const fn new(connector: Connector) -> Self {
        Self {
            connector,
            version: ApiVersion::MAX,
        }
    }

    /// The same client, speaking another version.
    #[must_use]
    pub fn with_version(mut self, version: ApiVersion) -> Self {
        self.version = version;
        self
    }

    /// The version that it speaks.
    #[must_use]
    pub const fn version(&self) -> ApiVersion {
        self.version
    }

    /// The same client, speaking the newest version that both sides know.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn negotiate(self) -> Result<Self> {
        let newest = self.system().ping().await?.api_version;
        let version = newest.map_or(self.version, |newest| newest.min(self.version));
        Ok(self.with_version(version))
    }

    /// Containers.
    #[must_use]
    pub const fn containers(&self) -> Containers<'_> {
        Containers(self)
    }

    /// Programs run in containers.
    #[must_use]
    pub const fn execs(&self) -> Execs<'_> {
        Execs(self)
    }

    /// Builds.
    #[must_use]
    pub const fn builds(&self) -> Builds<'_> {
        Builds(self)
    }

    /// Images.
    #[must_use]
    pub const fn images(&self) -> Images<'_> {
        Images(self)
    }

    /// The files of containers.
    #[must_use]
    pub const fn files(&self) -> Files<'_> {
        Files(self)
    }

    /// What can be removed because nobody uses it.
    #[must_use]
    pub const fn prune(&self) -> Prune<'_> {
        Prune(self)
    }

    /// Volumes.
    #[must_use]
    pub const fn volumes(&self) -> Volumes<'_> {
        Volumes(self)
    }

    /// Networks.
    #[must_use]
    pub const fn networks(&self) -> Networks<'_> {
        Networks(self)
    }

    /// The engine itself.
    #[must_use]
    pub const fn system(&self) -> System<'_> {
        System(self)
    }

    /// An answer in JSON.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T> {
        let answer = self.call(call).await?;
        decode(&collect(answer).await?)
    }

    /// An answer as it is written: for inspection without loss of what this client does not know.
    pub(crate) async fn fetch_raw(&self, call: Call<'_>) -> Result<Bytes> {
        collect(self.call(call).await?).await
    }

    /// An answer whose body says nothing.
    pub(crate) async fn run(&self, call: Call<'_>) -> Result<()> {
        self.call(call).await.map(drop)
    }

    /// An answer's body as it comes.
    pub(crate) async fn download(&self, call: Call<'_>) -> Result<Download> {
        self.call(call).await.map(|answer| answer.into_body())
    }

    /// The connection itself, once the engine has let go of HTTP.
    pub(crate) async fn hijack(&self, call: Call<'_>) -> Result<Hijacked> {
        let mut request = self.request(call)?;
        let headers = request.headers_mut();
        headers.insert(
            header::CONNECTION,
            header::HeaderValue::from_static("Upgrade"),
        );
        headers.insert(header::UPGRADE, header::HeaderValue::from_static("tcp"));
        let io = self.connect().await?;
        let mut answer = self.send(io, request).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            // An engine that never upgrades: its output is the answer's body, and nothing can be sent.
            return Ok(Hijacked::read_only(answer.into_body()));
        }
        let upgraded = hyper::upgrade::on(&mut answer).await;
        Ok(Hijacked::new(
            upgraded.map_err(|e| Error::protocol("upgrade connection", e))?,
        ))
    }

    /// An answer with a status below 400.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Response<Download>> {
        let request = self.request(call)?;
        let io = self.connect().await?;
        self.send(Patient::new(io), request).await
    }

    fn request(&self, call: Call<'_>) -> Result<Request<Upload>> {
        let path = if call.path == "/_ping" {
            call.path.to_owned()
        } else {
            format!("/v{}{}", self.version, call.path)
        };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.query.behind(&path))
            .header(header::HOST, "tare.localhost")
            .header(
                header::USER_AGENT,
                concat!("tare/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(content_type) = call.content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        if let Some(auth) = call.registry_auth.filter(|auth| !auth.is_empty()) {
            let mut value = header::HeaderValue::from_str(auth)
                .map_err(|e| Error::protocol("build request", e))?;
            value.set_sensitive(true);
            request = request.header("X-Registry-Auth", value);
        }
        if call.method == Method::POST && call.body.is_end_stream() {
            // Some servers and proxies wait for the body of a POST that does not say that it has none.
            request = request.header(header::CONTENT_LENGTH, "0");
        }
        request
            .body(call.body)
            .map_err(|e| Error::protocol("build request", e))
    }

    async fn connect(&self) -> Result<Box<dyn Io>> {
        self.connector.connect().await.map_err(|e| {
            let message = format!("connect to {}", self.connector.name());
            Error::new(Kind::Connect, message).because(e)
        })
    }

    async fn send(&self, io: impl Io, request: Request<Upload>) -> Result<Response<Download>> {
        let broke = |e| broken(&self.connector, e);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io))
            .await
            .map_err(broke)?;
        let task = Task(tokio::spawn(async move {
            // A failure shows where the answer is awaited or read.
            drop(connection.with_upgrades().await);
        }));
        let answer = sender.send_request(request).await.map_err(broke)?;
        let answer = answer.map(|body| Download::new(body, task));
        if answer.status().is_client_error() || answer.status().is_server_error() {
            return Err(refusal(answer).await);
        }
        Ok(answer)
    }
}

fn broken(connector: &Connector, error: hyper::Error) -> Error {
    if error.is_user() {
        return Error::new(Kind::Upload, "upload").because(error);
    }
    Error::protocol(&format!("talk to {}", connector.name()), error)
}

/// The engine's own words; or what stands in their place.
async fn refusal(answer: Response<Download>) -> Error {
    let status = answer.status();
    let text = collect(answer).await.unwrap_or_default();
    let error = api::decode::<api::ErrorResponse>(&text).unwrap_or_default();
    let message = if !error.message.is_empty() {
        error.message
    } else if text.is_empty() {
        status
            .canonical_reason()
            .unwrap_or("unknown error")
            .to_owned()
    } else {
        String::from_utf8_lossy(&text).trim().to_owned()
    };
    Error::new(Kind::Status(status.as_u16()), message).hint(error.hint)
}

async fn collect(answer: Response<Download>) -> Result<Bytes> {
    let (body, _task) = answer.into_body().into_parts();
    let collected = Limited::new(body, MAX_ANSWER)
        .collect()
        .await
        .map_err(|e| Error::protocol("read answer", e))?;
    Ok(collected.to_bytes())
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    api::decode(body).map_err(|e| Error::protocol("decode answer", e))
}

#[cfg(test)]
mod tests;
