//! What a path stands for. Names of repositories have slashes, so it is read from its end.

#[cfg(test)]
mod tests;

use spec::Digest;

use super::name::{Name, Target, is_tag};
use super::refusal::Refusal;

/// A resource of the specification's table of end points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/v2/`: whether this is a registry.
    Base,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/<name>/tags/list`.
    Tags(Name),
    /// `/v2/<name>/manifests/<reference>`.
    Manifest(Name, Target),
    /// `/v2/<name>/referrers/<digest>`.
    Referrers(Name, Digest),
    /// `/v2/<name>/blobs/<digest>`.
    Blob(Name, Digest),
    /// `/v2/<name>/blobs/uploads/`.
    Uploads(Name),
    /// `/v2/<name>/blobs/uploads/<id>`.
    Upload(Name, String),
}

impl Route {
    /// The repository that it is about.
    pub(crate) fn name(&self) -> Option<&Name> {
        match self {
            Self::Base | Self::Catalog => None,
            Self::Tags(name)
            | Self::Manifest(name, _)
            | Self::Referrers(name, _)
            | Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _) => Some(name),
        }
    }

    /// A word for statistics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Tags(_) => "tags",
            Self::Manifest(..) => "manifest",
            Self::Referrers(..) => "referrers",
            Self::Blob(..) => "blob",
            Self::Uploads(_) | Self::Upload(..) => "upload",
        }
    }

    /// Reads a path below `/v2`.
    pub(crate) fn parse(path: &str) -> Result<Self, Refusal> {
        let path = decode(path).ok_or_else(Refusal::not_found)?;
        let Some(rest) = path.strip_prefix("/v2") else {
            return Err(Refusal::not_found());
        };
        let rest = match rest {
            "" | "/" => return Ok(Self::Base),
            "/_catalog" => return Ok(Self::Catalog),
            rest => rest.strip_prefix('/').ok_or_else(Refusal::not_found)?,
        };
        let name = |text: &str| Name::parse(text).ok_or_else(Refusal::name_invalid);
        let digest = |text: &str| -> Result<Digest, Refusal> {
            text.parse()
                .map_err(|e: spec::Error| Refusal::digest_invalid(e.to_string()))
        };
        if let Some(of) = rest.strip_suffix("/tags/list") {
            return Ok(Self::Tags(name(of)?));
        }
        if let Some(of) = rest
            .strip_suffix("/blobs/uploads/")
            .or_else(|| rest.strip_suffix("/blobs/uploads"))
        {
            return Ok(Self::Uploads(name(of)?));
        }
        let (before, last) = rest.rsplit_once('/').ok_or_else(Refusal::not_found)?;
        if let Some(of) = before.strip_suffix("/blobs/uploads") {
            let id = is_id(last).ok_or_else(Refusal::upload_unknown)?;
            return Ok(Self::Upload(name(of)?, id));
        }
        let (of, kind) = before.rsplit_once('/').ok_or_else(Refusal::not_found)?;
        match kind {
            "blobs" => Ok(Self::Blob(name(of)?, digest(last)?)),
            "referrers" => Ok(Self::Referrers(name(of)?, digest(last)?)),
            "manifests" if last.contains(':') => {
                Ok(Self::Manifest(name(of)?, Target::Digest(digest(last)?)))
            }
            "manifests" if is_tag(last) => {
                Ok(Self::Manifest(name(of)?, Target::Tag(last.to_owned())))
            }
            "manifests" => {
                name(of)?;
                Err(Refusal::new(
                    http::StatusCode::BAD_REQUEST,
                    "TAG_INVALID",
                    "manifest tag did not match URI",
                ))
            }
            _ => Err(Refusal::not_found()),
        }
    }
}

fn is_id(text: &str) -> Option<String> {
    let hex = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    (text.len() == 32 && text.bytes().all(hex)).then(|| text.to_owned())
}

/// Undoes `%41`; none for what is malformed or no text.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| char::from(b?).to_digit(16);
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            out.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

/// The parameters of a query, in order, undone.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let undo = |text: &str| decode(&text.replace('+', " "));
            Some((undo(name)?, undo(value)?))
        });
        Self(pairs.filter(|(name, _)| !name.is_empty()).collect())
    }

    /// The first with this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let mine = self.0.iter().filter(move |(n, _)| n == name);
        mine.map(|(_, value)| value.as_str())
    }
}
