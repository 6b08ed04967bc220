//! A bucket of an object store that speaks S3: five requests, signed (AWS Signature Version 4).
//!
//! An own client of few lines, because those that there are bring a resolver of the C library, which a static program must not use,
//! and some seventy crates.

mod answer;
mod signature;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::connect::Connect;
use crate::error::{Error, Kind, Result};
use crate::host::Trust;
use crate::lookup::Lookup;
use crate::proxy::Proxies;

pub(super) use answer::{Listed, Object};
pub use signature::Keys;

/// Attempts at a request, and the first pause between two of them.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);
/// How long a request may take; none moves more than a few mebibytes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer.
const MOST: usize = 64 << 20;
const OP: &str = "ask the object store";

/// Which bucket, where, and with what right.
#[derive(Debug, Clone)]
pub struct BucketSettings {
    /// `https://s3.eu-central-1.amazonaws.com`, or another server's address.
    pub endpoint: String,
    /// `eu-central-1`.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with: `registry/`, or nothing.
    pub prefix: String,
    /// The right to use it; none for a bucket that everybody may use.
    pub keys: Option<Keys>,
    /// How names become addresses.
    pub lookup: Lookup,
    /// Proxies.
    pub proxies: Proxies,
    /// Unix seconds.
    pub clock: fn() -> i64,
}

/// A bucket. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bucket {
    settings: std::sync::Arc<BucketSettings>,
    base: Uri,
    pool: Pool<Connect, Full<Bytes>>,
}

/// A request.
struct Ask<'a> {
    method: Method,
    /// None: about the bucket.
    key: Option<&'a str>,
    query: Vec<(&'a str, String)>,
    headers: HeaderMap,
    body: Bytes,
}

/// An answer that was waited for.
struct Reply {
    status: StatusCode,
    body: Bytes,
}

impl<'a> Ask<'a> {
    fn new(method: Method, key: &'a str) -> Self {
        Self {
            method,
            key: Some(key),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

impl Bucket {
    pub(super) fn new(settings: BucketSettings) -> Result<Self> {
        let invalid =
            |why: &str| Error::new(Kind::System, "use object store", &settings.endpoint, why);
        let base: Uri = settings
            .endpoint
            .trim_end_matches('/')
            .parse()
            .map_err(|_| invalid("it is no address"))?;
        if base.authority().is_none() || !matches!(base.scheme_str(), Some("http" | "https")) {
            return Err(invalid("expected https://host"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if settings.bucket.is_empty() || !settings.bucket.bytes().all(plain) {
            return Err(invalid("the bucket has no valid name"));
        }
        let tls = match base.scheme_str() {
            Some("https") => Some(crate::tls::client(&Trust::default(), None::<&Path>)?),
            _ => None,
        };
        let connect = Connect {
            lookup: settings.lookup.clone(),
            proxies: settings.proxies.clone(),
            tls,
            patience: Duration::from_secs(10),
            link_local: true,
        };
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connect);
        Ok(Self {
            settings: settings.into(),
            base,
            pool,
        })
    }

    pub(super) fn now(&self) -> i64 {
        (self.settings.clock)()
    }

    /// An object, or a part of it.
    pub(super) async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        let mut ask = Ask::new(Method::GET, key);
        if let Some(range) = &range {
            let text = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            ask.headers.insert(header::RANGE, value(&text)?);
        }
        let reply = self.send(&ask).await?;
        match reply.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                let wanted = range.map_or(reply.body.len() as u64, |r| r.end - r.start);
                if reply.body.len() as u64 == wanted {
                    return Ok(Some(reply.body));
                }
                Err(Error::new(
                    Kind::System,
                    OP,
                    key,
                    "it gave another number of bytes",
                ))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refused(key, &reply)),
        }
    }

    /// Writes an object.
    pub(super) async fn put(&self, key: &str, body: Bytes) -> Result<()> {
        let mut ask = Ask::new(Method::PUT, key);
        ask.body = body;
        let reply = self.send(&ask).await?;
        match reply.status.is_success() {
            true => Ok(()),
            false => Err(refused(key, &reply)),
        }
    }

    /// Writes an object if there is none with this key; whether it did.
    pub(super) async fn put_new(&self, key: &str, body: Bytes) -> Result<bool> {
        let mut ask = Ask::new(Method::PUT, key);
        ask.body = body.clone();
        ask.headers.insert(header::IF_NONE_MATCH, value("*")?);
        let reply = self.send(&ask).await?;
        match reply.status {
            status if status.is_success() => Ok(true),
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => Ok(false),
            // It knows no conditions: as near to it as it gets.
            StatusCode::NOT_IMPLEMENTED | StatusCode::BAD_REQUEST => {
                if self.get(key, None).await?.is_some() {
                    return Ok(false);
                }
                self.put(key, body).await.map(|()| true)
            }
            _ => Err(refused(key, &reply)),
        }
    }

    /// Removes an object, if it is there.
    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        let reply = self.send(&Ask::new(Method::DELETE, key)).await?;
        match reply.status.is_success() || reply.status == StatusCode::NOT_FOUND {
            true => Ok(()),
            false => Err(refused(key, &reply)),
        }
    }

    /// One page of the keys that begin with `prefix`; those that go on after a `/` are told once, with [`Folders::Once`].
    pub(super) async fn list(&self, prefix: &str, from: &From, folders: Folders) -> Result<Listed> {
        let own = &self.settings.prefix;
        let mut query = vec![
            ("list-type", "2".to_owned()),
            ("prefix", format!("{own}{prefix}")),
        ];
        if folders == Folders::Once {
            query.push(("delimiter", "/".to_owned()));
        }
        match from {
            From::Start => {}
            From::After(key) => query.push(("start-after", format!("{own}{key}"))),
            From::Token(token) => query.push(("continuation-token", token.clone())),
        }
        let ask = Ask {
            method: Method::GET,
            key: None,
            query,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let reply = self.send(&ask).await?;
        if !reply.status.is_success() {
            return Err(refused(prefix, &reply));
        }
        Listed::parse(&reply.body, own, prefix)
            .ok_or_else(|| Error::new(Kind::System, OP, prefix, "its list makes no sense"))
    }

    /// All keys that begin with `prefix`.
    pub(super) async fn list_all(&self, prefix: &str, folders: Folders) -> Result<Listed> {
        let mut all = Listed::default();
        let mut from = From::Start;
        loop {
            let page = self.list(prefix, &from, folders).await?;
            all.folders.extend(page.folders);
            all.objects.extend(page.objects);
            match page.next {
                Some(token) => from = From::Token(token),
                None => return Ok(all),
            }
        }
    }

    async fn send(&self, ask: &Ask<'_>) -> Result<Reply> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let failed = match self.once(ask).await {
                Ok(reply) if !is_transient(reply.status) => return Ok(reply),
                Ok(reply) => refused(ask.key.unwrap_or_default(), &reply),
                Err(error) if error.kind != Kind::Unavailable => return Err(error),
                Err(error) => error,
            };
            if attempt >= ATTEMPTS {
                return Err(failed);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        unreachable!("the loop ends by itself")
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<Reply> {
        let shown = ask.key.unwrap_or_default();
        let path = match ask.key {
            Some(key) => format!("/{}/{}{key}", self.settings.bucket, self.settings.prefix),
            None => format!("/{}", self.settings.bucket),
        };
        let path = format!("{}{path}", self.base.path().trim_end_matches('/'));
        let to_sign = signature::ToSign {
            method: ask.method.as_str(),
            authority: self.base.authority().map_or("", |a| a.as_str()),
            path: &path,
            query: &ask.query,
            headers: &ask.headers,
            body: &ask.body,
            at: self.now(),
        };
        let signed = signature::sign(&to_sign, self.settings.keys.as_ref(), &self.settings.region);
        let target = format!(
            "{}://{}{}",
            self.base.scheme_str().unwrap_or("https"),
            to_sign.authority,
            signed.target
        );
        let mut request = Request::builder().method(ask.method.clone()).uri(target);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        for (name, value) in &signed.headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(ask.body.clone()))
            .map_err(|e| Error::system(OP, shown, e))?;
        let exchange = async {
            let response = self.pool.request(request).await;
            let response = response.map_err(|e| Error::caused(Kind::Unavailable, OP, shown, e))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MOST).collect().await;
            let body = body.map_err(|e| Error::caused(Kind::Unavailable, OP, shown, e))?;
            Ok(Reply {
                status: head.status,
                body: body.to_bytes(),
            })
        };
        let slow = || Error::new(Kind::Unavailable, OP, shown, "it does not answer");
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| Err(slow()))
    }
}

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    Start,
    /// After this key.
    After(String),
    /// Where the page before ended.
    Token(String),
}

/// Whether keys are told each, or their folders once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folders {
    Each,
    Once,
}

fn is_transient(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
        || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

fn value(text: &str) -> Result<http::HeaderValue> {
    http::HeaderValue::from_str(text).map_err(|e| Error::system(OP, text, e))
}

fn refused(key: &str, reply: &Reply) -> Error {
    let said = answer::code(&reply.body).unwrap_or_default();
    let kind = match is_transient(reply.status) {
        true => Kind::Unavailable,
        false => Kind::System,
    };
    let why = format!("it answers {} {}", reply.status, crate::error::shown(&said));
    let error = Error::new(kind, OP, key, why);
    match reply.status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => error.hint(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to keys that may use the bucket",
        ),
        _ => error,
    }
}
