//! SQLite: what is wanted and what was last known, the journal of operations under way, and the locks of objects.
//!
//! Knows rows, not what an image or a container does; whether a container runs is never stored. This is the only place with
//! SQL. Callers take locks first ([`Locks`]), then a transaction ([`Db::write`]), and do no other input or output in it.
//!
//! Read `schema/0001.sql` first, then [`Db`], then the rows of one module.

mod blob;
mod build;
mod container;
mod db;
mod error;
mod hold;
mod image;
mod journal;
mod layer;
mod lock;
mod migration;
mod network;
mod pull_hold;
mod removal;
mod volume;

pub use blob::BlobRow;
pub use container::ContainerRow;
pub use db::{Db, Durability, Tx};
pub use error::{Error, Kind, Result};
pub use image::{ImageRow, TagRow};
pub use journal::{Entry, EntryId, NewEntry, Owner};
pub use layer::LayerRow;
pub use lock::{LockKind, Locks, ObjectLock};
pub use network::{EndpointRow, NetworkRow, PortRow};
pub use volume::VolumeRow;
