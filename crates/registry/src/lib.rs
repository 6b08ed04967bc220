//! OCI distribution: the client of registries.
//!
//! It gets and puts manifests and blobs, with whatever a registry asks for first, and trusts nothing that comes. It does not know
//! images, layers or the store: the bytes of a blob come from and go to the caller.
//!
//! Read [`client`] first, then `client/remote.rs` (one request).

mod challenge;
pub mod client;
mod connect;
mod credential;
mod error;
mod host;
mod lookup;
mod proxy;
mod tls;

pub use credential::{Credentials, Found, StoredFile};
pub use error::{Error, Kind, Result};
pub use host::Rules;
pub use lookup::Lookup;
pub use proxy::Proxies;
