//! Answers: bodies within limits, and what an error says.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::HeaderMap;
use http::{HeaderName, Method, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::time::timeout;

use crate::client::retry::retry_after;
use crate::error::{Error, Kind, Result, shown};

/// What a registry says about an error (distribution-spec, "Error Codes").
const MAX_ERROR: usize = 64 << 10;

pub(in crate::client) fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// All of a body, if it is not larger.
pub(in crate::client) async fn collect(
    body: Incoming,
    limit: usize,
    idle: Duration,
    uri: &str,
) -> Result<Bytes> {
    let mut body = body;
    let mut all = BytesMut::new();
    loop {
        let frame = timeout(idle, body.frame())
            .await
            .map_err(|_| Error::new(Kind::Unavailable, "read", uri, "no more bytes in time"))?;
        match frame {
            None => return Ok(all.freeze()),
            Some(Err(error)) => return Err(Error::caused(Kind::Unavailable, "read", uri, error)),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    if all.len() + data.len() > limit {
                        let why = format!("it is larger than {limit} bytes");
                        return Err(Error::new(Kind::Limit, "read", uri, why));
                    }
                    all.extend_from_slice(&data);
                }
            }
        }
    }
}

/// Gives a good answer through, and makes an error of a bad one.
pub(super) async fn check(
    response: Response<Incoming>,
    method: &Method,
    uri: &Uri,
    idle: Duration,
) -> Result<Response<Incoming>> {
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    Err(failure(response, method, uri, idle).await)
}

#[derive(Deserialize, Default)]
struct Body {
    #[serde(default)]
    errors: Option<Vec<One>>,
    /// Token servers and others.
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct One {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What went wrong, in the words of the other side, made harmless.
pub(in crate::client) async fn failure(
    response: Response<Incoming>,
    method: &Method,
    uri: &Uri,
    idle: Duration,
) -> Error {
    let status = response.status();
    let wait = retry_after(response.headers());
    let text = format!("{uri}");
    let body = if *method == Method::HEAD {
        Bytes::new()
    } else {
        // An error that can't be read is still one.
        collect(response.into_body(), MAX_ERROR, idle, &text)
            .await
            .unwrap_or_default()
    };
    let kind = match status {
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::UNAUTHORIZED => Kind::Unauthorized,
        StatusCode::FORBIDDEN => Kind::Denied,
        StatusCode::TOO_MANY_REQUESTS => Kind::TooMany,
        StatusCode::RANGE_NOT_SATISFIABLE => Kind::Restart,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Kind::Unsupported,
        StatusCode::REQUEST_TIMEOUT => Kind::Unavailable,
        status if status.is_server_error() => Kind::Unavailable,
        _ => Kind::Invalid,
    };
    let mut error = Error::new(kind, "ask", redacted(uri), reason(&body, status));
    error.retry_after = wait;
    if kind == Kind::TooMany {
        error.hint = Some("log in for a higher limit, or try again later".to_owned());
    }
    error
}

fn reason(body: &[u8], status: StatusCode) -> String {
    let parsed: Body = serde_json::from_slice(body).unwrap_or_default();
    let errors = parsed.errors.unwrap_or_default();
    let mut texts: Vec<String> = errors
        .iter()
        .take(4)
        .map(|one| {
            let code = one.code.to_lowercase().replace('_', " ");
            match (code.is_empty(), one.message.is_empty()) {
                (_, true) => shown(&code),
                (true, false) => shown(&one.message),
                (false, false) => shown(&format!("{code}: {}", one.message)),
            }
        })
        .filter(|text| !text.is_empty())
        .collect();
    texts.extend(parsed.details.or(parsed.message).map(|text| shown(&text)));
    if texts.is_empty() {
        return format!("the registry answered {status}");
    }
    texts.join("; ")
}

/// An address without its query: that may hold a signature or a token (security.md, R15).
fn redacted(uri: &Uri) -> String {
    let text = uri.to_string();
    match text.split_once('?') {
        Some((before, _)) => before.to_owned(),
        None => text,
    }
}

/// A connection that failed, and whether trying again may help.
pub(super) fn broken(
    op: &'static str,
    uri: &Uri,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    let mut kind = Kind::Unavailable;
    let mut hint = None;
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut why = error.to_string();
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind as Io;
            why = io.to_string();
            match io.kind() {
                Io::ConnectionRefused
                | Io::NotFound
                | Io::HostUnreachable
                | Io::NetworkUnreachable => {
                    kind = Kind::Unreachable;
                }
                Io::PermissionDenied | Io::InvalidInput => kind = Kind::Forbidden,
                _ => {}
            }
            // What an io::Error holds is not among its sources.
            let inner = io.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
            if let Some(tls) = inner {
                (kind, hint) = of_tls(tls).unwrap_or((kind, hint));
            }
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            (kind, hint) = of_tls(tls).unwrap_or((kind, hint));
        }
        next = cause.source();
    }
    let mut own = Error::new(kind, op, redacted(uri), why);
    own.hint = hint.map(str::to_owned);
    own
}

fn of_tls(error: &rustls::Error) -> Option<(Kind, Option<&'static str>)> {
    match error {
        rustls::Error::InvalidCertificate(_) => Some((
            Kind::Forbidden,
            Some("put the registry's authority into /etc/docker/certs.d/HOST:PORT/ca.crt"),
        )),
        rustls::Error::InvalidMessage(_) => Some((
            Kind::Forbidden,
            Some("the registry speaks plain http: declare it insecure if that is what you want"),
        )),
        rustls::Error::AlertReceived(_) => Some((Kind::Forbidden, None)),
        _ => None,
    }
}
