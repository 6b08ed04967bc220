//! The engine over real directories, mounts and its database, without a monitor: images, containers that do not run,
//! volumes, and what killed engines leave.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests; they start processes and break things by hand"
)]

mod archive;
mod builds;
mod containers;
mod images;
mod place;
mod recovery;
mod volumes;
