//! What a registry asks for before it answers: `WWW-Authenticate` (RFC 9110, 11.6.1).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::host::{host_of, is_loopback};

/// One challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// `basic`, `bearer`: lower case.
    pub(crate) scheme: String,
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Challenge {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }
}

/// Reads a header's value. What is malformed ends the list: nothing is guessed.
pub(crate) fn parse(value: &str) -> Vec<Challenge> {
    let mut rest = value.trim_start();
    let mut found: Vec<Challenge> = Vec::new();
    while !rest.is_empty() {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = token(rest);
        if word.is_empty() {
            break;
        }
        let trimmed = after.trim_start();
        if let Some(value) = trimmed.strip_prefix('=') {
            // A parameter of the last challenge.
            let Some((text, after)) = parameter(value.trim_start()) else {
                break;
            };
            let Some(challenge) = found.last_mut() else {
                break;
            };
            challenge
                .parameters
                .entry(word.to_ascii_lowercase())
                .or_insert(text);
            rest = after;
        } else {
            found.push(Challenge {
                scheme: word.to_ascii_lowercase(),
                parameters: BTreeMap::new(),
            });
            rest = trimmed;
        }
    }
    found
}

fn token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn parameter(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = token(text);
        return (!word.is_empty()).then(|| (word.to_owned(), rest));
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &quoted[at + 1..])),
            '\\' => out.push(chars.next()?.1),
            c => out.push(c),
        }
    }
    None
}

/// Whether a token server may learn the credentials of a registry (CVE-2019-10214, CVE-2026-33540): it must be the same host, or a
/// host of the same registered domain, and not be reached in a less protected way.
pub(crate) fn may_know(realm: &http::Uri, registry: &http::Uri, trusted: &[String]) -> bool {
    let (Some(theirs), Some(ours)) = (realm.authority(), registry.authority()) else {
        return false;
    };
    let https = |uri: &http::Uri| uri.scheme_str() == Some("https");
    if !https(realm)
        && (https(registry) && !is_loopback(ours.as_str())
            || !is_loopback(theirs.as_str()) && theirs != ours)
    {
        return false;
    }
    if trusted
        .iter()
        .any(|t| t == theirs.as_str() || t == theirs.host())
    {
        return true;
    }
    let (theirs, ours) = (host_of(theirs.as_str()), host_of(ours.as_str()));
    theirs == ours || is_loopback(theirs) && is_loopback(ours) || related(theirs, ours)
}

/// Whether two names have the same registered domain. Without the public suffix list: the last two labels, three where the
/// second last is as short as those of `co.uk`.
pub(crate) fn related(a: &str, b: &str) -> bool {
    let domain = |name: &str| -> Option<String> {
        if name.parse::<std::net::IpAddr>().is_ok() {
            return None;
        }
        let labels: Vec<&str> = name.trim_end_matches('.').rsplit('.').collect();
        let count = match &labels[..] {
            [top, second, ..] if top.len() == 2 && second.len() <= 3 => 3,
            _ => 2,
        };
        (labels.len() >= count).then(|| labels[..count].join(".").to_ascii_lowercase())
    };
    domain(a).is_some() && domain(a) == domain(b)
}
