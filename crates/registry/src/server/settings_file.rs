//! A registry's settings as a file: TOML.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::access::{Action, Pattern, Rule, Who};
use super::serve::TlsFiles;

/// What a file says; what it does not say is none.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SettingsFile {
    /// Where to listen.
    pub address: Option<SocketAddr>,
    /// Where things are kept: a directory, or the address of a bucket.
    pub storage: Option<String>,
    /// How clients reach it, if not by the name that they say: `https://registry.example.org`.
    pub url: Option<String>,
    /// Whether nothing may be changed.
    #[serde(default)]
    pub read_only: bool,
    /// TLS.
    pub tls: Option<TlsFiles>,
    /// The file of users.
    pub htpasswd: Option<PathBuf>,
    /// Who may do what; without it users may do everything.
    #[serde(default)]
    access: Vec<RawRule>,
    /// How long what nobody refers to is kept.
    #[serde(default, deserialize_with = "span")]
    pub lease: Option<Duration>,
    /// How long manifests without a tag are kept; for always, if it does not say.
    #[serde(default, deserialize_with = "span")]
    pub untagged: Option<Duration>,
    /// How often to collect what nobody needs.
    #[serde(default, deserialize_with = "span")]
    pub collect_every: Option<Duration>,
    /// How often to compare all blobs with their digests.
    #[serde(default, deserialize_with = "span")]
    pub scrub_every: Option<Duration>,
    /// How long an upload may lie.
    #[serde(default, deserialize_with = "span")]
    pub upload_age: Option<Duration>,
    /// Registries to cache: `docker.io`, or `prefix=docker.io`.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// Bytes of the largest blob.
    pub largest_blob: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawRule {
    repositories: Vec<String>,
    users: Vec<String>,
    actions: Vec<String>,
}

impl SettingsFile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        file.rules()?;
        if !file.access.is_empty() && file.htpasswd.is_none() {
            return Err("rules of access need users: set htpasswd".to_owned());
        }
        Ok(file)
    }

    /// The rules of access.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn rules(&self) -> Result<Vec<Rule>, String> {
        if self.access.is_empty() {
            return Ok(vec![Rule::users()]);
        }
        self.access.iter().map(RawRule::rule).collect()
    }
}

impl RawRule {
    fn rule(&self) -> Result<Rule, String> {
        let actions = self.actions.iter().map(|word| {
            let why = || format!("unknown action {word:?}: expected pull, push or delete");
            Action::parse(word).ok_or_else(why)
        });
        let who = self.users.iter().map(|word| match word.as_str() {
            "@anybody" => Ok(Who::Anybody),
            "@users" => Ok(Who::Users),
            word if word.starts_with('@') => Err(format!(
                "unknown group {word:?}: expected @anybody or @users"
            )),
            user => Ok(Who::User(user.to_owned())),
        });
        Ok(Rule {
            repositories: self
                .repositories
                .iter()
                .map(|p| Pattern::parse(p))
                .collect::<Result<_, _>>()?,
            who: who.collect::<Result<_, _>>()?,
            actions: actions.collect::<Result<BTreeSet<_>, _>>()?,
        })
    }
}

/// Reads `90s`, `15m`, `24h`, `7d`; none if it is none.
#[must_use]
pub fn parse_span(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    let count = super::range::number(&text[..text.len() - 1])?;
    Some(Duration::from_secs(count.checked_mul(seconds)?))
}

fn span<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let why = || format!("invalid time {text:?}: expected 90s, 15m, 24h or 7d");
    parse_span(&text)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(why()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file() {
        let file = SettingsFile::parse(
            r#"
            address = "0.0.0.0:443"
            storage = "/srv/registry"
            htpasswd = "/etc/registry/users"
            lease = "2h"
            untagged = "7d"
            [tls]
            certificate = "/etc/registry/cert.pem"
            key = "/etc/registry/key.pem"
            [[access]]
            repositories = ["public/**"]
            users = ["@anybody"]
            actions = ["pull"]
            [[access]]
            repositories = ["{user}/**", "team-*/app"]
            users = ["@users"]
            actions = ["pull", "push", "delete"]
            "#,
        );
        let file = file.unwrap();
        assert_eq!(file.lease, Some(Duration::from_secs(7200)));
        assert_eq!(file.untagged, Some(Duration::from_secs(604_800)));
        assert_eq!(file.tls.as_ref().unwrap().clients, None);
        assert_eq!(file.rules().unwrap().len(), 2);
        assert_eq!(SettingsFile::parse("").unwrap().rules().unwrap().len(), 1);
    }

    #[test]
    fn mistakes() {
        for (text, why) in [
            ("adress = \"x\"", "unknown field"),
            ("lease = \"5\"", "invalid time"),
            ("lease = \"h\"", "invalid time"),
            ("lease = \"99999999999999999999d\"", "invalid time"),
            (
                "htpasswd = \"x\"\n[[access]]\nrepositories=[\"**\"]\nusers=[\"@x\"]\nactions=[]",
                "unknown group",
            ),
            (
                "htpasswd = \"x\"\n[[access]]\nrepositories=[\"**\"]\nusers=[]\nactions=[\"read\"]",
                "unknown action",
            ),
            (
                "htpasswd = \"x\"\n[[access]]\nrepositories=[\"A\"]\nusers=[]\nactions=[]",
                "no repository fits",
            ),
            (
                "[[access]]\nrepositories=[\"a\"]\nusers=[]\nactions=[]",
                "need users",
            ),
        ] {
            let error = SettingsFile::parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
