//! `config.json` of Docker's clients: which credentials belong to which registry, and who keeps them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Credentials, split};
use crate::error::{Error, Kind, Result};

/// The key of the public registry in every store of credentials.
const PUBLIC: &str = "https://index.docker.io/v1/";
const OP: &str = "read the client's configuration";

/// The file's content. What this program does not know stays as it is.
#[derive(Debug, Clone, Default)]
pub struct StoredFile(Map<String, Value>);

/// Where the credentials of a registry are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// In the file, or nowhere.
    Here(Credentials),
    /// With the program `docker-credential-NAME`, under this key.
    Helper {
        /// `NAME`.
        name: String,
        /// The key to ask for.
        key: String,
    },
}

impl StoredFile {
    /// Reads the file's text; nothing is an empty file.
    ///
    /// # Errors
    /// It is no JSON object, or an entry in it is none.
    pub fn parse(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let bad = |why: String| Error::new(Kind::System, OP, "", why);
        let value: Value = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
        let Value::Object(map) = value else {
            return Err(bad("it is no JSON object".to_owned()));
        };
        for key in ["auths", "credHelpers"] {
            if map.get(key).is_some_and(|v| !v.is_object() && !v.is_null()) {
                return Err(bad(format!("{key:?} is no JSON object")));
            }
        }
        Ok(Self(map))
    }

    /// The file's new text.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(&self.0).unwrap_or_default() + "\n"
    }

    /// The key under which the credentials of a registry are kept: its host, and for the public one an old address.
    #[must_use]
    pub fn key(registry: &str) -> String {
        let host = host_of(registry);
        if matches!(
            host,
            "docker.io" | "index.docker.io" | "registry-1.docker.io"
        ) {
            PUBLIC.to_owned()
        } else {
            host.to_owned()
        }
    }

    /// The helper that keeps this registry's credentials, if one does.
    ///
    /// # Errors
    /// Its name is no name of a program (CVE-2020-11501 and the like: a path would run anything).
    pub fn helper(&self, registry: &str) -> Result<Option<String>> {
        let key = Self::key(registry);
        let by_host = self.0.get("credHelpers").and_then(Value::as_object);
        let own = by_host.and_then(|helpers| {
            let mut helpers = helpers.iter();
            helpers.find(|(name, _)| Self::key(name) == key)
        });
        let name = own
            .map(|(_, name)| name)
            .or_else(|| self.0.get("credsStore"))
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty());
        let Some(name) = name else {
            return Ok(None);
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !name.chars().all(plain) || name.starts_with('.') {
            return Err(Error::new(
                Kind::System,
                OP,
                "",
                format!("{name:?} is no name of a credential helper"),
            ));
        }
        Ok(Some(name.to_owned()))
    }

    /// Where this registry's credentials are.
    ///
    /// # Errors
    /// An entry makes no sense.
    pub fn find(&self, registry: &str) -> Result<Found> {
        let key = Self::key(registry);
        if let Some(name) = self.helper(registry)? {
            return Ok(Found::Helper { name, key });
        }
        let auths = self.0.get("auths").and_then(Value::as_object);
        let entry = auths.and_then(|auths| {
            auths.get(&key).or_else(|| {
                auths
                    .iter()
                    .find(|(k, _)| Self::key(k) == key)
                    .map(|(_, v)| v)
            })
        });
        let Some(entry) = entry else {
            return Ok(Found::Here(Credentials::Anonymous));
        };
        Self::entry(entry).map(Found::Here).ok_or_else(|| {
            Error::new(
                Kind::System,
                OP,
                "",
                format!("the credentials of {key} are malformed"),
            )
            .hint(format!("'tare logout {key}' and log in again"))
        })
    }

    fn entry(entry: &Value) -> Option<Credentials> {
        let text = |name: &str| match entry.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(Value::String(text)) => Some(Some(text.as_str()).filter(|t| !t.is_empty())),
            Some(_) => None,
        };
        if !entry.is_object() {
            return None;
        }
        if let Some(token) = text("registrytoken")? {
            return Some(Credentials::Bearer(token.to_owned()));
        }
        if let Some(token) = text("identitytoken")? {
            return Some(Credentials::Identity(token.to_owned()));
        }
        if let Some(auth) = text("auth")? {
            return split(auth);
        }
        match (text("username")?, text("password")?) {
            (Some(username), Some(password)) => Some(Credentials::Basic {
                username: username.to_owned(),
                password: password.to_owned(),
            }),
            _ => Some(Credentials::Anonymous),
        }
    }

    /// All registries with credentials in the file itself.
    #[must_use]
    pub fn registries(&self) -> Vec<String> {
        let auths = self.0.get("auths").and_then(Value::as_object);
        auths.map_or_else(Vec::new, |auths| auths.keys().cloned().collect())
    }

    /// Keeps credentials in the file. With a helper the file only says that there are some.
    pub fn store(&mut self, registry: &str, credentials: Option<&Credentials>) {
        let entry = match credentials {
            Some(Credentials::Basic { username, password }) => {
                json!({"auth": STANDARD.encode(format!("{username}:{password}"))})
            }
            Some(Credentials::Identity(token)) => {
                json!({"auth": STANDARD.encode("<token>:"), "identitytoken": token})
            }
            Some(Credentials::Bearer(token)) => json!({"registrytoken": token}),
            Some(Credentials::Anonymous) | None => json!({}),
        };
        let auths = self.0.entry("auths").or_insert_with(|| json!({}));
        if auths.is_null() {
            *auths = json!({});
        }
        if let Some(auths) = auths.as_object_mut() {
            auths.insert(Self::key(registry), entry);
        }
    }

    /// Forgets a registry's credentials; whether there were any.
    pub fn erase(&mut self, registry: &str) -> bool {
        let key = Self::key(registry);
        let Some(auths) = self.0.get_mut("auths").and_then(Value::as_object_mut) else {
            return false;
        };
        let before = auths.len();
        auths.retain(|name, _| Self::key(name) != key);
        auths.len() != before
    }
}

/// `https://host/v1/` and `host` are the same to Docker.
fn host_of(registry: &str) -> &str {
    let rest = registry
        .strip_prefix("https://")
        .or_else(|| registry.strip_prefix("http://"))
        .unwrap_or(registry);
    rest.split('/').next().unwrap_or(rest)
}
