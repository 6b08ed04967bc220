//! What a step's result depends on, as one digest.
//!
//! Docker's rules: an argument counts where it is used (RUN uses all that are declared above it); times of files and
//! secrets never do; proxies don't either. A copy depends on the content that it takes, not on the context it comes from.

use serde::Serialize;
use spec::Digest;

use crate::graph::{Op, Vertex, VertexId};

/// The way keys are made: a change of it makes all results from before strangers.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Text<'a> {
    version: u32,
    op: &'a Op,
    inputs: Vec<String>,
    content: Option<String>,
}

/// The key of a vertex.
///
/// `inputs` are the keys of what it needs, or, for an image, nothing; `content` is the digest of what it takes from outside:
/// the files of a context, an image's identity, a download.
///
/// # Panics
/// Never: what is written has only texts and numbers.
#[must_use]
pub fn of(vertex: &Vertex, inputs: &[Digest], content: Option<&Digest>) -> Digest {
    let linked = matches!(&vertex.op, Op::Copy(copy) if copy.link && copy.chown.as_deref().is_none_or(numeric));
    let text = Text {
        version: VERSION,
        op: &vertex.op,
        // A linked copy makes the same layer on every base.
        inputs: inputs
            .iter()
            .skip(usize::from(linked))
            .map(ToString::to_string)
            .collect(),
        content: content.map(ToString::to_string),
    };
    Digest::of(serde_json::to_vec(&text).unwrap_or_default())
}

/// Names are looked up in the base; numbers are not.
fn numeric(owner: &str) -> bool {
    owner.split(':').all(|part| part.parse::<u32>().is_ok())
}

/// The vertices that changed between two builds, with the first reason for each: for `explain`.
#[must_use]
pub fn changed<'a>(
    before: &'a [(String, Digest)],
    now: &'a [(String, Digest)],
) -> Vec<(VertexId, &'a str)> {
    now.iter()
        .enumerate()
        .filter(|(_, (name, key))| !before.iter().any(|(n, k)| n == name && k == key))
        .map(|(index, (name, _))| (VertexId(index), name.as_str()))
        .collect()
}
