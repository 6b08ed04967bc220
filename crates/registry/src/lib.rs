//! OCI distribution: the client of registries, and a registry.
//!
//! The client gets and puts manifests and blobs, with whatever a registry asks for first, and trusts nothing that comes. The server
//! keeps them in a [`server::storage::Storage`]. Neither knows images, layers or the store: the bytes of a blob come from and go to
//! the caller.
//!
//! Read [`client`] first, then `client/remote.rs` (one request); for the other side [`server`].

mod challenge;
pub mod client;
mod connect;
mod credential;
mod error;
mod host;
mod lookup;
mod proxy;
pub mod server;
mod tls;

pub use credential::{Credentials, Found, StoredFile};
pub use error::{Error, Kind, Result};
pub use host::Rules;
pub use lookup::Lookup;
pub use proxy::Proxies;
