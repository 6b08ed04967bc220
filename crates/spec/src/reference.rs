//! Image references, in the grammar of distribution/reference and with Docker's normalisation of familiar names.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use crate::digest::{Digest, serde_as_text};
use crate::error::{Error, Kind, Result, shown};

const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DOMAIN: &str = "index.docker.io";
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";
/// The longest repository path (distribution/reference, `RepositoryNameTotalLengthMax`).
const MAX_PATH: usize = 255;

/// A normalised reference to an image: `docker.io/library/busybox:latest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference as a user writes it, `busybox` for `docker.io/library/busybox:latest`: a name with neither tag nor
    /// digest gets the tag `latest`.
    ///
    /// # Errors
    /// The text is no reference; the message is Docker's.
    pub fn parse(text: &str) -> Result<Self> {
        let mut reference = Self::parse_name(text)?;
        if reference.tag.is_none() && reference.digest.is_none() {
            reference.tag = Some(DEFAULT_TAG.to_owned());
        }
        Ok(reference)
    }

    /// Like [`Reference::parse`], but a name alone stays one.
    ///
    /// # Errors
    /// The text is no reference; the message is Docker's.
    pub fn parse_name(text: &str) -> Result<Self> {
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(error(format!(
                "invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            )));
        }
        let (domain, rest) = split_familiar(text);
        let remote = rest.split(':').next().unwrap_or_default();
        if remote.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(error(format!(
                "invalid reference format: repository name ({}) must be lowercase",
                shown(remote)
            )));
        }
        let full = format!("{domain}/{rest}");
        let raw = Raw::parse(&full)?;
        let domain = raw.domain.ok_or_else(invalid)?.to_owned();
        let digest = raw.digest.map(str::parse).transpose()?;
        Ok(Self {
            domain,
            path: raw.path.to_owned(),
            tag: raw.tag.map(str::to_owned),
            digest,
        })
    }

    /// The registry: `docker.io`, `localhost:5000`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository in the registry: `library/busybox`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Registry and repository: `docker.io/library/busybox`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest. Where there is a tag too, the digest decides.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository with another tag and no digest.
    ///
    /// # Errors
    /// `tag` is no tag.
    pub fn with_tag(&self, tag: &str) -> Result<Self> {
        if !is_tag(tag) {
            return Err(error("invalid tag format"));
        }
        Ok(Self {
            tag: Some(tag.to_owned()),
            digest: None,
            ..self.clone()
        })
    }

    /// The same repository with this digest and no tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The repository as people write it: `busybox`, `localhost:5000/app`.
    #[must_use]
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(short) if !short.contains('/') => short.to_owned(),
            _ => self.path.clone(),
        }
    }

    /// The whole reference as people write it: `busybox:latest`.
    #[must_use]
    pub fn familiar(&self) -> String {
        self.qualified(self.familiar_name())
    }

    fn qualified(&self, mut text: String) -> String {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
        text
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.qualified(self.name()))
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

serde_as_text!(Reference);

fn error(message: impl Into<String>) -> Error {
    Error::new(Kind::Reference, message)
}

fn invalid() -> Error {
    error("invalid reference format")
}

/// Domain and rest of what a user wrote. What is before the first slash is a domain only if it looks like one.
fn split_familiar(text: &str) -> (&str, String) {
    let domain_like = |first: &str| {
        first == "localhost"
            || first.contains(['.', ':'])
            || first.bytes().any(|b| b.is_ascii_uppercase())
    };
    let (domain, rest) = match text.split_once('/') {
        None => return (DEFAULT_DOMAIN, format!("{OFFICIAL}{text}")),
        Some((LEGACY_DOMAIN, rest)) => (DEFAULT_DOMAIN, rest),
        Some((first, rest)) if domain_like(first) => (first, rest),
        Some(_) => (DEFAULT_DOMAIN, text),
    };
    if domain == DEFAULT_DOMAIN && !rest.contains('/') {
        return (domain, format!("{OFFICIAL}{rest}"));
    }
    (domain, rest.to_owned())
}

/// The parts of a reference before normalisation.
struct Raw<'a> {
    domain: Option<&'a str>,
    path: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Raw<'a> {
    /// The grammar's `reference`. Which part is which needs no backtracking: `@` is in no name and no tag, and a colon
    /// with a slash after it belongs to a port.
    fn parse(text: &'a str) -> Result<Self> {
        if text.is_empty() {
            return Err(error("repository name must have at least one component"));
        }
        let raw = Self::split(text);
        if raw.is_valid() {
            return if raw.path.len() > MAX_PATH {
                Err(error(format!(
                    "repository name must not be more than {MAX_PATH} characters"
                )))
            } else {
                Ok(raw)
            };
        }
        let lower = text.to_ascii_lowercase();
        if Raw::split(&lower).is_valid() {
            return Err(error("repository name must be lowercase"));
        }
        Err(invalid())
    }

    fn split(text: &'a str) -> Self {
        let (rest, digest) = text
            .split_once('@')
            .map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        match name.split_once('/') {
            Some((domain, path)) if is_domain(domain) => Self {
                domain: Some(domain),
                path,
                tag,
                digest,
            },
            _ => Self {
                domain: None,
                path: name,
                tag,
                digest,
            },
        }
    }

    fn is_valid(&self) -> bool {
        self.path.split('/').all(is_component)
            && self.tag.is_none_or(is_tag)
            && self.digest.is_none_or(is_digest)
    }
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// `algorithm:hex`, where the algorithm is words joined by one of `+._-`, and 32 or more digits.
fn is_digest(digest: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.split(['+', '.', '_', '-']).all(word)
            && hex.len() >= 32
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn is_domain(domain: &str) -> bool {
    let port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if let Some(rest) = domain.strip_prefix('[') {
        let Some((address, after)) = rest.split_once(']') else {
            return false;
        };
        return !address.is_empty()
            && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
            && (after.is_empty() || after.strip_prefix(':').is_some_and(port));
    }
    let (host, port_good) = domain
        .split_once(':')
        .map_or((domain, true), |(host, p)| (host, port(p)));
    port_good
        && host.split('.').all(|part| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

/// One component of a repository path: lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_component(component: &str) -> bool {
    let alnum = |b: &u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    alnum(first)
        && alnum(last)
        && bytes.chunk_by(|a, b| alnum(a) == alnum(b)).all(|run| {
            alnum(&run[0]) || matches!(run, b"." | b"_" | b"__") || run.iter().all(|&b| b == b'-')
        })
}
