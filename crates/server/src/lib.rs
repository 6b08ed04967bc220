//! The Engine API: decode a request, make one call of the engine, encode what it gave.
//!
//! Knows the wire (`api`) and the engine's doors; keeps no state of its own, so that any number of servers may stand before one
//! store. [`router`] is served over anything: [`serve_stream`] takes a byte stream, [`serve_own`] one in memory, [`Socket`] a unix socket.
//!
//! Read `router.rs` first (which path leads where), then `hijack.rs` (a connection that becomes a container's streams); `shape/`
//! turns the engine's types into the wire's and back, the rest is one file a resource.

mod archives;
mod body;
mod build;
mod changes;
mod clock;
mod connection;
mod containers;
mod detach;
mod error;
mod events;
mod execs;
mod files;
mod hijack;
mod images;
mod networks;
mod peer;
mod prune;
mod pull;
mod push;
mod request;
mod router;
mod shape;
mod socket;
mod stats;
mod streams;
mod system;
mod usage;
mod volumes;

pub use connection::{serve_own, serve_stream};
pub use router::router;
pub use socket::{BindError, Socket};
