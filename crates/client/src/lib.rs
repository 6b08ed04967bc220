//! A typed client of the Engine API over any byte stream.
//!
//! Knows neither server nor engine: a [`Connector`] gives it a fresh stream for each request, a unix socket's or one in memory.
//! Also speaks to other engines with this API.
//!
//! Read `transport.rs` first (one request, one connection), then `stream.rs` (what flows after the answer's head); the
//! rest is one file a resource.

mod builds;
mod changes;
mod connector;
mod containers;
mod error;
mod events;
mod execs;
mod files;
mod images;
mod networks;
mod patient;
mod prune;
mod stream;
mod system;
mod transport;
mod upload;
mod volumes;

pub use builds::{Building, Builds};
pub use connector::{Connector, Io};
pub use containers::{
    AttachQuery, ContainerListQuery, Containers, LogsQuery, WaitCondition, Waiting,
};
pub use error::{Error, Kind, Result};
pub use events::{Events, EventsQuery};
pub use execs::Execs;
pub use files::{Commit, Files, PutQuery};
pub use images::{ImageImport, ImageListQuery, ImagePull, ImagePush, Images};
pub use networks::Networks;
pub use prune::Prune;
pub use stream::{Download, Hijacked, Messages};
pub use system::{Ping, System};
pub use transport::Client;
pub use volumes::Volumes;
