//! The use cases: what a user can do with containers, images and volumes.
//!
//! Does not know HTTP, argv or Docker's JSON; [`Config`] passes in every path and program that it uses. What is wanted is in
//! SQLite (`state`), what is true now is asked of the container's monitor (`protocol`), and everything that takes more
//! than one step is journaled, so that whoever opens the engine next can finish or undo it.
//!
//! Read [`container`] first, then `bundle` (a container becomes a runtime spec: pure), then `launch` (it becomes a
//! process), then `recovery`.

pub mod build;
mod bundle;
pub mod container;
mod disk;
mod error;
pub mod event;
pub mod exec;
pub mod image;
mod launch;
mod link;
pub mod log;
pub mod network;
mod network_files;
mod open;
mod outlet;
mod prune;
mod readiness;
mod recovery;
mod registries;
mod registry;
mod rootfs;
mod soundness;
mod spare;
mod stdin;
pub mod system;
mod truth;
pub mod usage;
pub mod volume;

pub use ::registry::Credentials;
pub use ::registry::client::Settings as RegistrySettings;
pub use error::{Error, Kind, Result};
pub use open::{Binaries, Config, Engine, Paths, Prospect};
pub use outlet::Outlet;
pub use prune::{PruneFilters, Pruned};
