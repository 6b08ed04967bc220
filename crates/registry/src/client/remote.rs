//! One host that serves a repository: requests to it, with authorization, redirects and errors understood.

mod answer;
mod authorization;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use http::uri::Uri;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

use super::retry::Attempts;
use super::{Patience, Settings};
use crate::challenge;
use crate::connect::Connect;
use crate::credential::Credentials;
use crate::error::{Error, Kind, Result};
use crate::host::{Capabilities, Host, Scheme};
use authorization::Authorization;

pub(super) use answer::{collect, failure, header_text};

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// A host, cheap to clone.
#[derive(Clone)]
pub(super) struct Remote(Arc<Inner>);

struct Inner {
    settings: Arc<Settings>,
    host: Host,
    credentials: Credentials,
    /// For the host itself.
    direct: Pool<Connect, Body>,
    /// For where it sends us.
    elsewhere: Pool<Connect, Body>,
    connect: Connect,
    scheme: OnceCell<&'static str>,
    authorization: Mutex<Authorization>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote")
            .field(&self.0.host.authority)
            .finish()
    }
}

/// What is sent with a request.
pub(super) enum Payload {
    Empty,
    Bytes(Bytes),
    /// Bytes that can't be sent twice.
    Stream(Body),
}

/// A request to the host.
pub(super) struct Ask {
    pub(super) method: Method,
    /// Below the host's prefix, or a whole address that the host gave.
    pub(super) to: To,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload,
}

#[derive(Debug, Clone)]
pub(super) enum To {
    Path(String),
    Address(Uri),
}

impl Ask {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            to: To::Path(path.into()),
            headers: HeaderMap::new(),
            payload: Payload::Empty,
        }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn at(method: Method, address: Uri) -> Self {
        Self {
            to: To::Address(address),
            ..Self::new(method, "")
        }
    }

    pub(super) fn header(mut self, name: http::HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }
}

impl Remote {
    pub(super) fn new(
        settings: &Arc<Settings>,
        host: Host,
        credentials: Credentials,
        scope: String,
    ) -> Result<Self> {
        let tls = match host.scheme {
            Scheme::Http => None,
            Scheme::Https | Scheme::Either => Some(crate::tls::client(
                &host.trust,
                settings.authorities.as_deref(),
            )?),
        };
        let connect = Connect {
            lookup: settings.lookup.clone(),
            proxies: settings.proxies.clone(),
            tls,
            patience: settings.patience.connect,
            link_local: true,
        };
        let elsewhere = Connect {
            link_local: false,
            ..connect.clone()
        };
        let authorization = Mutex::new(Authorization::new(scope, &credentials));
        Ok(Self(Arc::new(Inner {
            settings: Arc::clone(settings),
            direct: pool(connect.clone()),
            elsewhere: pool(elsewhere),
            connect,
            host,
            credentials,
            scheme: OnceCell::new(),
            authorization,
        })))
    }

    pub(super) fn is_origin(&self) -> bool {
        self.0.host.origin
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.0.host.capabilities
    }

    pub(super) fn patience(&self) -> Patience {
        self.0.settings.patience
    }

    /// Asks for rights on one more repository, for a mount.
    pub(super) async fn also(&self, scope: String) {
        self.0.authorization.lock().await.also(scope);
    }

    /// Sends a request until it is answered, or it is clear that it will not be. What it carries must fit to be sent again.
    pub(super) async fn send(&self, make: impl Fn() -> Ask) -> Result<Response<Incoming>> {
        let mut attempts = Attempts::new(self.patience());
        loop {
            match Box::pin(self.once(make())).await {
                Ok(response) => return Ok(response),
                Err(error) => attempts.again(error).await?,
            }
        }
    }

    /// Sends a request once; twice if authorization is asked for and what it carries can be sent again.
    pub(super) async fn once(&self, ask: Ask) -> Result<Response<Incoming>> {
        let uri = self.address(&ask.to).await?;
        let own = self.is_own(&uri);
        let mut authorization = self.authorization(own).await?;
        let mut payload = ask.payload;
        for last in [false, true] {
            let (body, rest) = match payload {
                Payload::Empty => (empty(), Some(Payload::Empty)),
                Payload::Bytes(bytes) => (full(bytes.clone()), Some(Payload::Bytes(bytes))),
                Payload::Stream(body) => (body, None),
            };
            let request = self.request(
                &ask.method,
                &uri,
                &ask.headers,
                authorization.as_ref(),
                body,
            )?;
            let response = self.follow(request, &ask.headers).await?;
            let asked = response.status() == StatusCode::UNAUTHORIZED && own && !last;
            if !asked {
                return answer::check(response, &ask.method, &uri, self.patience().idle).await;
            }
            let refused = self.authorize(&response, &uri).await?;
            let Some(new) = refused else {
                return answer::check(response, &ask.method, &uri, self.patience().idle).await;
            };
            let Some(again) = rest else {
                return Err(Error::new(
                    Kind::Unavailable,
                    "send to",
                    &uri,
                    "authorization ended in the middle",
                ));
            };
            authorization = Some(new);
            payload = again;
        }
        unreachable!("the last round returns")
    }

    /// The whole address of a request.
    async fn address(&self, to: &To) -> Result<Uri> {
        let text = match to {
            To::Address(uri) => return Ok(uri.clone()),
            To::Path(path) => {
                let scheme = self.scheme().await?;
                let host = &self.0.host;
                format!("{scheme}://{}{}{path}", host.authority, host.prefix)
            }
        };
        text.parse()
            .map_err(|e: http::uri::InvalidUri| Error::caused(Kind::Invalid, "ask", text, e))
    }

    /// `https`, or `http` where that is allowed and the other side knows nothing better.
    async fn scheme(&self) -> Result<&'static str> {
        let probe = async {
            match self.0.host.scheme {
                Scheme::Https => return Ok("https"),
                Scheme::Http => return Ok("http"),
                Scheme::Either => {}
            }
            let address = format!("https://{}/", self.0.host.authority);
            let uri: Uri = address.parse().map_err(|e: http::uri::InvalidUri| {
                Error::caused(Kind::Invalid, "ask", &address, e)
            })?;
            // In a box, as below: a look-up holds much, and these futures are held by many others.
            match Box::pin(self.0.connect.connect(&uri)).await {
                Ok(_) => Ok("https"),
                Err(error) if speaks_no_tls(&error) => Ok("http"),
                Err(error) => Err(answer::broken("connect to", &uri, error)),
            }
        };
        self.0.scheme.get_or_try_init(|| probe).await.copied()
    }

    /// Whether an address is the host's own, where its credentials may go.
    fn is_own(&self, uri: &Uri) -> bool {
        let scheme = self.0.scheme.get().copied();
        uri.authority()
            .is_some_and(|a| a.as_str() == self.0.host.authority)
            && (scheme.is_none() || uri.scheme_str() == scheme)
    }

    /// An address that the host gave for what follows: an upload's place. It may be relative; another host must be of the same
    /// domain and speak TLS.
    pub(super) async fn own_address(&self, response: &HeaderMap, from: &To) -> Result<Uri> {
        let base = self.address(from).await?;
        let refused = |why: &str| {
            Error::new(
                Kind::Forbidden,
                "continue an upload of",
                &base,
                why.to_owned(),
            )
        };
        let location = header_text(response, LOCATION).ok_or_else(|| {
            Error::new(
                Kind::Invalid,
                "upload to",
                &base,
                "no Location in the answer",
            )
        })?;
        let uri = resolve(&base, location).ok_or_else(|| refused("its Location is no address"))?;
        let host = |uri: &Uri| {
            uri.authority()
                .map(|a| crate::host::host_of(a.as_str()).to_owned())
        };
        let same = uri.authority() == base.authority();
        let safe = uri.scheme_str() == Some("https");
        let down = base.scheme_str() == Some("https") && !safe;
        let related = match (host(&uri), host(&base)) {
            (Some(a), Some(b)) => a == b || challenge::related(&a, &b),
            _ => false,
        };
        let allowed = same || safe && related;
        if down || !allowed {
            return Err(refused("its Location leads to another host"));
        }
        Ok(uri)
    }

    fn request(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        authorization: Option<&HeaderValue>,
        body: Body,
    ) -> Result<Request<Body>> {
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        let all = request.headers_mut();
        if self.is_own(uri) {
            all.extend(self.0.host.headers.clone());
            if let Some(value) = authorization {
                all.insert(AUTHORIZATION, value.clone());
            }
        }
        all.extend(headers.clone());
        let agent = HeaderValue::from_str(&self.0.settings.user_agent)
            .map_err(|e| Error::system("name", "this program", e))?;
        all.insert(USER_AGENT, agent);
        Ok(request)
    }

    /// Sends, and follows redirects of reads.
    async fn follow(
        &self,
        request: Request<Body>,
        headers: &HeaderMap,
    ) -> Result<Response<Incoming>> {
        let method = request.method().clone();
        let mut uri = request.uri().clone();
        let mut response = self.transmit(&self.0.direct, request).await?;
        for _ in 0..MAX_REDIRECTS {
            let reads = method == Method::GET || method == Method::HEAD;
            if !response.status().is_redirection()
                || response.status() == StatusCode::NOT_MODIFIED
                || !reads
            {
                return Ok(response);
            }
            let next = self.redirect(&uri, response.headers())?;
            let same = self.is_own(&next) && next.scheme() == uri.scheme();
            let authorization = if same {
                self.authorization(true).await?
            } else {
                None
            };
            let request = self.request(&method, &next, headers, authorization.as_ref(), empty())?;
            let pool = if same {
                &self.0.direct
            } else {
                &self.0.elsewhere
            };
            response = self.transmit(pool, request).await?;
            uri = next;
        }
        Err(Error::new(
            Kind::Forbidden,
            "follow redirects of",
            &uri,
            format!("more than {MAX_REDIRECTS}"),
        ))
    }

    fn redirect(&self, from: &Uri, headers: &HeaderMap) -> Result<Uri> {
        let refused = |why: &str| Error::new(Kind::Forbidden, "follow a redirect of", from, why);
        let location = header_text(headers, LOCATION).ok_or_else(|| refused("it leads nowhere"))?;
        let next = resolve(from, location).ok_or_else(|| refused("it leads to no web address"))?;
        if from.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
            return Err(refused("it leads from TLS to plain http"));
        }
        Ok(next)
    }

    async fn transmit(
        &self,
        pool: &Pool<Connect, Body>,
        request: Request<Body>,
    ) -> Result<Response<Incoming>> {
        let uri = request.uri().clone();
        // While a body is sent, its source watches that it moves (upload.rs); here only the answer is waited for.
        let sending = request.headers().contains_key(CONTENT_LENGTH);
        let patience = if sending {
            Duration::from_secs(24 * 3600)
        } else {
            self.patience().idle + self.patience().connect
        };
        match timeout(patience, pool.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(answer::broken("ask", &uri, error)),
            Err(_) => Err(Error::new(
                Kind::Unavailable,
                "ask",
                &uri,
                "no answer in time",
            )),
        }
    }
}

fn pool(connect: Connect) -> Pool<Connect, Body> {
    Pool::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        // Heads are not longer (security.md, E5), and a body is read in pieces of this size.
        .http1_max_buf_size(256 << 10)
        .build(connect)
}

pub(super) fn empty() -> Body {
    full(Bytes::new())
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Whether the other side answered a TLS greeting with something else. A certificate that is refused is no such case.
fn speaks_no_tls(error: &io::Error) -> bool {
    if error.kind() == io::ErrorKind::UnexpectedEof
        || error.kind() == io::ErrorKind::ConnectionReset
    {
        return true;
    }
    let inner = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>());
    matches!(
        inner,
        Some(
            rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateHandshakeMessage { .. }
        )
    )
}

/// Where a `Location` leads (RFC 3986, 5.2): only http and https.
pub(super) fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let absolute = |text: &str| -> Option<Uri> {
        let uri: Uri = text.parse().ok()?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        (web && uri.authority().is_some_and(|a| !a.as_str().contains('@'))).then_some(uri)
    };
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    if location.contains("://") {
        return absolute(location);
    }
    if let Some(rest) = location.strip_prefix("//") {
        return absolute(&format!("{scheme}://{rest}"));
    }
    if location.starts_with('/') {
        return absolute(&format!("{scheme}://{authority}{location}"));
    }
    if location.split(['/', '?']).next()?.contains(':') {
        return None;
    }
    if location.starts_with('?') {
        return absolute(&format!("{scheme}://{authority}{}{location}", base.path()));
    }
    let directory = base.path().rsplit_once('/').map_or("", |(d, _)| d);
    absolute(&format!("{scheme}://{authority}{directory}/{location}"))
}

impl Remote {
    /// The same host for what belongs to no repository.
    pub(super) fn without_scope(&self) -> Result<Self> {
        let inner = &self.0;
        Self::new(
            &inner.settings,
            inner.host.clone(),
            inner.credentials.clone(),
            String::new(),
        )
    }
}

impl Remote {
    /// The same host without its prefix, for what is older than `/v2`.
    pub(super) fn at_root(&self, scheme: Option<Scheme>) -> Result<Self> {
        let inner = &self.0;
        let mut host = inner.host.clone();
        host.prefix = String::new();
        host.scheme = scheme.unwrap_or(host.scheme);
        Self::new(
            &inner.settings,
            host,
            inner.credentials.clone(),
            String::new(),
        )
    }

    /// The whole address of what was asked for.
    pub(super) async fn own_base(&self, to: &To) -> Result<Uri> {
        self.address(to).await
    }
}
