//! Tokens (distribution's token specification and its OAuth 2 variant).

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
use serde::Deserialize;

use super::remote::collect;
use crate::challenge::{Challenge, may_know};
use crate::credential::Credentials;
use crate::error::{Error, Kind, Result};

/// A token server's answer is not longer.
const MAX_ANSWER: usize = 1 << 20;
/// How long a token lasts that says nothing.
const USUAL: Duration = Duration::from_secs(60);
const OP: &str = "get a token from";

/// What a token is to be for.
pub(super) struct Wanted<'a> {
    pub(super) challenge: &'a Challenge,
    /// `repository:library/busybox:pull`; none for what the challenge says.
    pub(super) scopes: &'a [String],
    /// Who asks for it.
    pub(super) registry: &'a Uri,
    /// Whether a refresh token is wanted too: at login.
    pub(super) offline: bool,
}

/// A token.
pub(super) struct Token {
    pub(super) token: String,
    pub(super) lasts: Duration,
    pub(super) refresh: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<String>,
}

/// The token server's address, if it may be asked.
pub(super) fn realm(
    credentials: &Credentials,
    wanted: &Wanted<'_>,
    trusted: &[String],
) -> Result<Uri> {
    let text = wanted.challenge.get("realm");
    let shown = crate::error::shown(text);
    let realm: Uri = text
        .parse()
        .map_err(|_| Error::new(Kind::Invalid, OP, &shown, "it is no address"))?;
    let web = matches!(realm.scheme_str(), Some("http" | "https"));
    if !web || realm.authority().is_none_or(|a| a.as_str().contains('@')) {
        return Err(Error::new(
            Kind::Invalid,
            OP,
            &shown,
            "it is no web address",
        ));
    }
    let open = credentials.is_anonymous() && realm.scheme_str() == Some("https");
    if open || may_know(&realm, wanted.registry, trusted) {
        return Ok(realm);
    }
    let host = wanted.registry.authority().map_or("", |a| a.as_str());
    Err(Error::new(
        Kind::Forbidden,
        OP,
        &shown,
        format!("credentials of {host} are not shown to another host"),
    )
    .hint("if that is its token server, name it among the trusted realms"))
}

/// The request for a token.
pub(super) fn request(
    realm: &Uri,
    credentials: &Credentials,
    wanted: &Wanted<'_>,
    agent: &str,
) -> Result<Request<Bytes>> {
    let service = wanted.challenge.get("service");
    let scopes: Vec<&str> = if wanted.scopes.is_empty() {
        let scope = wanted.challenge.get("scope");
        scope.split(' ').filter(|s| !s.is_empty()).collect()
    } else {
        wanted.scopes.iter().map(String::as_str).collect()
    };
    let invalid = |e: http::Error| Error::caused(Kind::Invalid, OP, realm, e);
    let builder = Request::builder()
        .header(USER_AGENT, agent)
        .header(ACCEPT, "application/json");
    if let Credentials::Identity(refresh) = credentials {
        let form = encode(&[
            ("grant_type", "refresh_token"),
            ("service", service),
            ("client_id", "tare"),
            ("scope", &scopes.join(" ")),
            ("refresh_token", refresh),
        ]);
        return builder
            .method(Method::POST)
            .uri(realm)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(CONTENT_LENGTH, form.len())
            .body(form.into())
            .map_err(invalid);
    }
    let mut pairs = vec![("service", service)];
    pairs.extend(scopes.iter().map(|scope| ("scope", *scope)));
    if let Credentials::Basic { username, .. } = credentials {
        pairs.push(("account", username));
    }
    if wanted.offline {
        pairs.extend([("offline_token", "true"), ("client_id", "tare")]);
    }
    pairs.retain(|(_, value)| !value.is_empty());
    let join = if realm.query().is_some() { '&' } else { '?' };
    let mut builder = builder.uri(format!("{realm}{join}{}", encode(&pairs)));
    if let Some(basic) = credentials.basic() {
        let mut value = HeaderValue::from_str(&basic)
            .map_err(|e| Error::caused(Kind::Invalid, OP, realm, e))?;
        value.set_sensitive(true);
        builder = builder.header(AUTHORIZATION, value);
    }
    builder.body(Bytes::new()).map_err(invalid)
}

/// Reads the answer.
pub(super) async fn read(
    response: Response<Incoming>,
    idle: Duration,
    realm: &Uri,
) -> Result<Token> {
    let text = realm.to_string();
    let body = collect(response.into_body(), MAX_ANSWER, idle, &text).await?;
    let answer: Answer =
        serde_json::from_slice(&body).map_err(|e| Error::caused(Kind::Invalid, OP, realm, e))?;
    let token = [answer.token, answer.access_token]
        .into_iter()
        .flatten()
        .find(|token| !token.is_empty());
    Ok(Token {
        token: token
            .ok_or_else(|| Error::new(Kind::Invalid, OP, realm, "its answer has no token"))?,
        lasts: answer
            .expires_in
            .map_or(USUAL, |seconds| Duration::from_secs(seconds.min(24 * 3600)))
            .max(USUAL),
        refresh: answer.refresh_token.filter(|token| !token.is_empty()),
    })
}

/// A form (`application/x-www-form-urlencoded`).
pub(super) fn encode(pairs: &[(&str, &str)]) -> String {
    let one = |text: &str| -> String {
        text.bytes()
            .map(|b| match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(b).to_string()
                }
                b => format!("%{b:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", one(name), one(value)))
        .collect();
    pairs.join("&")
}
