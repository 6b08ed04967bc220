//! A registry: OCI distribution 1.1 and Docker's additions, over a [`Storage`].
//!
//! What was acknowledged is in the storage, so any number of servers may serve one storage, and any of them may be killed. A blob is
//! kept for a lease after somebody last wanted it kept; within it, a push may rely on what it found.
//!
//! Read [`storage`] first, then `catalogue.rs` (what the records say), `route.rs`, `upload.rs`.

mod access;
mod auth;
mod blob;
mod body;
mod catalogue;
mod condition;
mod garbage;
mod listing;
mod maintain;
mod manifest;
mod metrics;
mod mirror;
mod name;
mod range;
mod refusal;
mod route;
mod scrub;
mod serve;
mod settings_file;
pub mod storage;
mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use ring::rand::SecureRandom as _;
use tokio::sync::RwLock;

use crate::error::{Error, Kind, Result};
use access::Tickets;
use body::Body;
use metrics::Metrics;
use refusal::Refusal;
use route::{Query, Route};
use storage::{Existing, Storage};
use upload::{Place, Turns};

pub use access::{Access, Action, Pattern, Rule, Who};
pub use garbage::{Collected, Retention};
pub use maintain::Schedule;
pub use mirror::{Mirrors, Upstream};
pub use scrub::{Damaged, Scrubbed};
pub use serve::{Listening, TlsFiles};
pub use settings_file::{SettingsFile, parse_span};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Bounds of what clients may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a blob.
    pub blob: u64,
    /// Uploads under way.
    pub uploads: usize,
    /// How long an upload may lie.
    pub upload_age: Duration,
    /// Connections.
    pub connections: usize,
    /// How long a client may be silent, or not take what is sent to it.
    pub idle: Duration,
    /// Whether an index may name manifests that are not there.
    pub sparse: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            blob: 256 << 30,
            uploads: 1000,
            upload_age: Duration::from_secs(24 * 60 * 60),
            connections: 4096,
            idle: Duration::from_secs(60),
            sparse: true,
        }
    }
}

/// What may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    ReadWrite,
    /// Nothing.
    ReadOnly,
}

/// Whom the operator's complaints go to.
pub type Complain = Arc<dyn Fn(&Error) + Send + Sync>;

/// How to serve.
#[derive(Clone)]
pub struct Settings {
    /// Who may do what.
    pub access: Arc<Access>,
    /// How clients reach it, if not by the name that they use: `https://registry.example.org`.
    pub url: Option<String>,
    /// Other registries that are cached.
    pub mirrors: Option<Arc<Mirrors>>,
    /// Bounds.
    pub limits: Limits,
    /// What may be changed.
    pub mode: Mode,
    /// How long what nobody refers to is kept.
    pub lease: Duration,
    /// Unix seconds.
    pub clock: fn() -> i64,
    /// Whom failures of this side are told.
    pub complain: Complain,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access: Arc::default(),
            url: None,
            mirrors: None,
            limits: Limits::default(),
            mode: Mode::ReadWrite,
            lease: Duration::from_secs(24 * 60 * 60),
            clock: || jiff::Timestamp::now().as_second(),
            complain: Arc::new(|_| {}),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("limits", &self.limits)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// The server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    storage: Storage,
    settings: Settings,
    tickets: Tickets,
    metrics: Metrics,
    turns: Turns,
    uploads: Open,
    /// Shared by whoever relies on content that is there; whoever takes some away has it alone.
    content: RwLock<()>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// How many uploads are under way.
#[derive(Debug)]
struct Open {
    count: AtomicUsize,
    most: usize,
}

impl Open {
    /// Whether there is room for one more.
    fn enter(&self) -> bool {
        let more = |count| (count < self.most).then_some(count + 1);
        let order = Ordering::Relaxed;
        self.count.fetch_update(order, order, more).is_ok()
    }

    fn leave(&self) {
        // One of another server of this storage may end here.
        let less = |count: usize| Some(count.saturating_sub(1));
        let order = Ordering::Relaxed;
        let _ = self.count.fetch_update(order, order, less);
    }
}

impl Server {
    /// A server of what is in this storage.
    ///
    /// # Errors
    /// The storage can't be read.
    pub async fn open(storage: Storage, settings: Settings) -> Result<Self> {
        let uploads = Open {
            count: AtomicUsize::new(storage.uploads.list().await?.len()),
            most: settings.limits.uploads,
        };
        let tickets = Tickets::new(&secret(&storage).await?);
        Ok(Self(Arc::new(Inner {
            storage,
            settings,
            tickets,
            metrics: Metrics::default(),
            turns: Turns::default(),
            uploads,
            content: RwLock::default(),
        })))
    }

    fn storage(&self) -> &Storage {
        &self.0.storage
    }

    fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    fn turns(&self) -> &Turns {
        &self.0.turns
    }

    fn uploads(&self) -> &Open {
        &self.0.uploads
    }

    fn content(&self) -> &RwLock<()> {
        &self.0.content
    }

    fn now(&self) -> i64 {
        (self.0.settings.clock)()
    }

    /// In seconds.
    fn lease(&self) -> i64 {
        i64::try_from(self.0.settings.lease.as_secs()).unwrap_or(i64::MAX)
    }

    fn writable(&self) -> bool {
        self.0.settings.mode == Mode::ReadWrite
    }

    fn complain(&self, error: &Error) {
        self.metrics().failed();
        (self.0.settings.complain)(error);
    }

    fn access(&self) -> &Access {
        &self.0.settings.access
    }

    fn tickets(&self) -> &Tickets {
        &self.0.tickets
    }

    /// Drops uploads that have lain for too long, of whatever server of this storage. Gives how many.
    ///
    /// # Errors
    /// The storage can't be read or written.
    pub async fn expire(&self) -> Result<u64> {
        let storage = self.storage();
        let age = i64::try_from(self.limits().upload_age.as_secs()).unwrap_or(i64::MAX);
        let ids = storage.uploads.list().await?;
        let mut dropped = 0;
        for id in &ids {
            let upload = storage.uploads.look(id).await?;
            let old = |touched: i64| self.now().saturating_sub(touched) > age;
            if upload.is_none_or(|upload| old(upload.touched)) && storage.uploads.cancel(id).await?
            {
                dropped += 1;
            }
        }
        let left = ids.len() - usize::try_from(dropped).unwrap_or(ids.len());
        self.uploads().count.store(left, Ordering::Relaxed);
        Ok(dropped)
    }

    /// Answers a request.
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let began = Instant::now();
        self.metrics().began();
        let method = known(request.method());
        let (kind, answer) = match request.uri().path() {
            "/" => ("page", Ok(plain("tare registry\n"))),
            "/healthz" => ("page", self.health().await),
            "/metrics" => ("page", self.numbers(request).await),
            auth::PATH => ("token", self.token(request).await),
            path => match Route::parse(path) {
                Ok(route) => (route.kind(), self.dispatch(route, request).await),
                Err(refusal) => ("none", Err(refusal)),
            },
        };
        let mut response = answer.unwrap_or_else(|refusal| {
            if let Some(error) = &refusal.cause {
                self.complain(error);
            }
            refusal.into_response()
        });
        let version = HeaderValue::from_static("registry/2.0");
        response.headers_mut().insert(API_VERSION, version);
        let key = (method, kind, response.status().as_u16());
        self.metrics().answered(key, began.elapsed());
        self.metrics().ended();
        response
    }

    async fn numbers(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let (head, _) = request.into_parts();
        let caller = self.identify(&head).await?;
        self.require_user(&head, &caller)?;
        let uploads = self.uploads().count.load(Ordering::Relaxed);
        let mut response = Response::new(Body::text(self.metrics().text(uploads)));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(response)
    }

    async fn health(&self) -> Result<Response<Body>, Refusal> {
        // Whether the storage answers.
        self.storage().records.names("catalog", "", 1).await?;
        Ok(plain("ok\n"))
    }

    async fn dispatch(
        &self,
        route: Route,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let (head, body) = request.into_parts();
        let query = Query::parse(head.uri.query());
        let route = &self.localized(route, query.get("ns"));
        let (method, headers) = (&head.method, &head.headers);
        let action = match route {
            // Looking at and cancelling one is a part of pushing.
            Route::Upload(..) => Action::Push,
            _ => action(method),
        };
        if action != Action::Pull && !self.writable() {
            return Err(Refusal::denied("this registry is read-only")
                .status(StatusCode::METHOD_NOT_ALLOWED));
        }
        let caller = self.identify(&head).await?;
        match route.name() {
            Some(name) => self.authorize(&head, &caller, name, action)?,
            None if *route == Route::Base => self.require_token(&head)?,
            None => {}
        }
        match route {
            Route::Manifest(name, target) if action == Action::Pull => {
                self.refresh(name, target).await?;
            }
            Route::Blob(name, digest) if action == Action::Pull => {
                self.fetch_blob(name, digest).await?;
            }
            _ if action == Action::Push => route.name().map_or(Ok(()), |n| self.refuse_push(n))?,
            _ => {}
        }
        let place = |name| Place {
            name,
            caller: &caller,
        };
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match route {
            Route::Base if reads => Ok(json("{}")),
            Route::Catalog if reads => self.list_repositories(&caller, &query).await,
            Route::Tags(name) if reads => self.list_tags(name, &query).await,
            Route::Referrers(name, subject) if reads => {
                self.list_referrers(name, subject, &query).await
            }
            Route::Blob(name, digest) if reads => {
                self.get_blob(method, headers, name, digest).await
            }
            Route::Blob(name, digest) if method == Method::DELETE => {
                self.delete_blob(name, digest).await
            }
            Route::Manifest(name, target) if reads => {
                self.get_manifest(method, headers, name, target).await
            }
            Route::Manifest(name, target) if method == Method::PUT => {
                let sent = (headers, body);
                self.put_manifest(name, target, &query, sent).await
            }
            Route::Manifest(name, target) if method == Method::DELETE => {
                self.delete_manifest(name, target).await
            }
            Route::Uploads(name) if method == Method::POST => {
                self.begin_upload(place(name), &query, headers, body).await
            }
            Route::Upload(name, id) => match *method {
                Method::GET | Method::HEAD => self.look_at_upload(place(name), id).await,
                Method::PATCH => self.add_to_upload(place(name), id, headers, body).await,
                Method::PUT => {
                    let sent = (headers, body);
                    self.end_upload(place(name), id, &query, sent).await
                }
                Method::DELETE => self.cancel_upload(place(name), id).await,
                _ => Err(Refusal::unsupported(allowed(route))),
            },
            _ => Err(Refusal::unsupported(allowed(route))),
        }
    }
}

/// What is done with a method.
fn action(method: &Method) -> Action {
    match *method {
        Method::GET | Method::HEAD => Action::Pull,
        Method::DELETE => Action::Delete,
        _ => Action::Push,
    }
}

fn allowed(route: &Route) -> &'static str {
    match route {
        Route::Base | Route::Catalog | Route::Tags(_) | Route::Referrers(..) => "GET, HEAD",
        Route::Blob(..) => "GET, HEAD, DELETE",
        Route::Manifest(..) => "GET, HEAD, PUT, DELETE",
        Route::Uploads(_) => "POST",
        Route::Upload(..) => "GET, PATCH, PUT, DELETE",
    }
}

/// Methods for statistics: others are one, so that a client can't fill the memory with them.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

fn plain(text: &'static str) -> Response<Body> {
    typed(text, "text/plain; charset=utf-8")
}

fn json(text: &'static str) -> Response<Body> {
    typed(text, "application/json; charset=utf-8")
}

fn typed(text: &'static str, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::text(text));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// What tokens are signed with, the same for all servers of a storage.
async fn secret(storage: &Storage) -> Result<bytes::Bytes> {
    const KEY: &str = "secrets/tokens";
    if let Some(secret) = storage.records.get(KEY).await? {
        return Ok(secret);
    }
    let new = bytes::Bytes::from(format!("{}{}", random_id()?, random_id()?));
    if storage
        .records
        .put(KEY, new.clone(), Existing::Keep)
        .await?
    {
        return Ok(new);
    }
    let others = storage.records.get(KEY).await?;
    others.ok_or_else(|| Error::new(Kind::Conflict, "read", KEY, "it comes and goes"))
}

/// 32 hexadecimal digits that nobody can guess.
pub(crate) fn random_id() -> Result<String> {
    let mut bytes = [0; 16];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::new(Kind::System, "get", "random bytes", "the system gives none"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
