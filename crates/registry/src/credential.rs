//! Who asks: credentials, and the file in which Docker's clients keep them.

mod file;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

pub use file::{Found, StoredFile};

/// What is shown to a registry. Never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// Nothing.
    #[default]
    Anonymous,
    /// A name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password or access token.
        password: String,
    },
    /// A refresh token that a token server gave at login (Docker's `identitytoken`).
    Identity(String),
    /// A token that the registry itself takes (Docker's `registrytoken`).
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic { .. } => "Basic(…)",
            Self::Identity(_) => "Identity(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

impl Credentials {
    /// Whether there are none.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        *self == Self::Anonymous
    }

    /// The value of an `Authorization` header; none for those that must be exchanged for a token first.
    #[must_use]
    pub fn basic(&self) -> Option<String> {
        match self {
            Self::Basic { username, password } => Some(format!(
                "Basic {}",
                STANDARD.encode(format!("{username}:{password}"))
            )),
            Self::Anonymous | Self::Identity(_) | Self::Bearer(_) => None,
        }
    }

    /// Reads the value of an `X-Registry-Auth` header: JSON in base64 of either alphabet, with or without padding.
    ///
    /// # Errors
    /// It is neither, in Docker's words.
    pub fn from_header(value: &str) -> Result<Self, String> {
        if value.trim().is_empty() {
            return Ok(Self::Anonymous);
        }
        let value = value.trim();
        let bytes = URL_SAFE
            .decode(value)
            .or_else(|_| URL_SAFE_NO_PAD.decode(value))
            .or_else(|_| STANDARD.decode(value))
            .map_err(|_| "invalid X-Registry-Auth header: it is not base64".to_owned())?;
        // serde takes a list for a struct whose fields may all be missing.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err("invalid X-Registry-Auth header: it is no JSON object".to_owned());
        }
        let sent: Sent = serde_json::from_slice(&bytes)
            .map_err(|e| format!("invalid X-Registry-Auth header: {e}"))?;
        Ok(sent.into())
    }

    /// The value of an `X-Registry-Auth` header.
    #[must_use]
    pub fn to_header(&self, server: &str) -> String {
        let mut sent = Sent {
            serveraddress: Some(server.to_owned()),
            ..Sent::default()
        };
        match self {
            Self::Anonymous => {}
            Self::Basic { username, password } => {
                sent.username = Some(username.clone());
                sent.password = Some(password.clone());
            }
            Self::Identity(token) => sent.identitytoken = Some(token.clone()),
            Self::Bearer(token) => sent.registrytoken = Some(token.clone()),
        }
        URL_SAFE.encode(serde_json::to_vec(&sent).unwrap_or_default())
    }
}

/// Docker's `AuthConfig` as it travels.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Sent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// The old form: `name:password` in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serveraddress: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identitytoken: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registrytoken: Option<String>,
}

impl From<Sent> for Credentials {
    fn from(sent: Sent) -> Self {
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = text(sent.registrytoken) {
            return Self::Bearer(token);
        }
        if let Some(token) = text(sent.identitytoken) {
            return Self::Identity(token);
        }
        if let (Some(username), Some(password)) = (text(sent.username), text(sent.password)) {
            return Self::Basic { username, password };
        }
        text(sent.auth)
            .and_then(|auth| split(&auth))
            .unwrap_or_default()
    }
}

/// `name:password` in base64.
fn split(auth: &str) -> Option<Credentials> {
    let plain = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (username, password) = plain.split_once(':')?;
    Some(Credentials::Basic {
        username: username.to_owned(),
        password: password.trim_end_matches('\0').to_owned(),
    })
}
