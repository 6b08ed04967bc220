//! Blobs, layers and snapshots.
//!
//! A blob is a file named by its digest ([`Store::blob_writer`]). A layer is one EROFS image, written while its tar streams
//! by ([`Store::unpack`]), or a directory where EROFS can't be mounted. A snapshot is a container's writable part
//! ([`Store::prepare`]); mounted above its layers it is an overlay that is attached nowhere ([`Store::mount`]).
//!
//! Does not know registries, images or containers' settings. Several processes may use one store at the same time: locks
//! and the database are [`state`]'s, and whatever a kill leaves behind is found by [`Store::sweep`].
//!
//! Read `tar.rs` (the reader), `layer/resolve.rs` (what a layer is), `erofs.rs` (how it is written), `mount.rs`.

#[cfg(test)]
#[path = "../tests/archive/mod.rs"]
mod archive;
mod area;
mod blob;
mod changes;
mod compose;
mod compression;
mod draft;
mod erofs;
mod error;
mod extract;
mod layer;
mod limits;
mod mount;
mod pack;
mod partial;
mod pipeline;
mod snapshot;
mod store;
mod sweep;
mod tar;
mod unpack;
mod walk;

pub use area::{Area, Ownership};
pub use blob::BlobWriter;
pub use changes::{Change, ChangeKind};
pub use compose::LayerWriter;
pub use compression::plain;
pub use error::{Error, Kind, Result};
pub use extract::{Conflicts, Extraction, Owners, extract};
pub use limits::Limits;
pub use mount::OverlayMode;
pub use partial::{Arrival, Arriving, Partial};
pub use snapshot::{Access, Durability, IdMap, MountOptions, Mounted, Snapshot};
pub use store::{Config, Format, Options, Store};
pub use sweep::Swept;
pub use tar::{Entry, Kind as EntryKind, Reader as TarReader, Segment, TarWriter, Time};
pub use unpack::{Layer, Pending};
pub use walk::{Bounds, FileData, Walk, Walked};
