//! Conditional requests (RFC 9110, 13): the entity tag is the digest.

use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use spec::Digest;

use super::blob::finish;
use super::body::Body;

/// The entity tag of what has this digest.
pub(crate) fn tag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// The status of an answer whose condition is not met.
pub(crate) fn unmet(headers: &HeaderMap, tag: &str) -> Option<StatusCode> {
    if listed(headers, &header::IF_MATCH).is_some_and(|list| !holds(&list, tag)) {
        return Some(StatusCode::PRECONDITION_FAILED);
    }
    let list = listed(headers, &header::IF_NONE_MATCH)?;
    holds(&list, tag).then_some(StatusCode::NOT_MODIFIED)
}

/// Whether a `Range` counts: not if the client has a part of something else.
pub(crate) fn range_applies(headers: &HeaderMap, tag: &str) -> bool {
    listed(headers, &header::IF_RANGE).is_none_or(|value| value.trim() == tag)
}

/// The answer with nothing in it.
pub(crate) fn answer(response: http::response::Builder, status: StatusCode) -> Response<Body> {
    finish(response.status(status), Body::empty())
}

fn listed(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Digests have no commas, so neither have tags of ours.
fn holds(list: &str, tag: &str) -> bool {
    list.split(',').any(|one| {
        let one = one.trim();
        let one = one.strip_prefix("W/").unwrap_or(one);
        // Some clients send the digest without its quotes.
        one == "*" || one == tag || one == tag.trim_matches('"')
    })
}
