//! OCI and Docker vocabulary: the nouns that every other room speaks with.
//!
//! Does no input or output and knows no engine: text and bytes come in, checked values go out. A value that exists is
//! valid, so nobody checks a digest or a name twice.
//!
//! Read [`digest`](crate::Digest) first (what is named by what), then [`Reference`], then [`image`].

mod digest;
mod error;
pub mod image;
mod name;
mod platform;
pub mod profile;
mod reference;
pub mod runtime;

pub use digest::{Algorithm, BlobDigest, ChainId, DiffId, Digest, Hasher, ImageId, LayerId};
pub use error::{Error, Kind, Result};
pub use name::{ContainerId, Name};
pub use platform::Platform;
pub use reference::Reference;
