//! OCI runtime: a bundle becomes a process.
//!
//! [`create`] makes a container whose first process waits; [`Created::start`] lets its program begin; [`exec`] runs another
//! one in it. The calling process must have one thread and is the parent of what is made. Nothing here knows images, stores,
//! networks or state files; a root comes as a path or a detached mount, and limits come in the words of the specification.
//!
//! Read `plan` (what will be done, checked before there is a process), then `create` (the caller's side) and `init` (the new
//! process's side), `mount` (its world), `place` (its cgroups), `identity` and `launch` (what it may do, on every path the
//! same), then `exec`.

mod birth;
mod channel;
mod config;
mod console;
mod create;
mod device;
mod error;
mod exec;
mod filter;
mod gate;
mod group;
mod hook;
mod identity;
mod idmap;
mod init;
mod known;
mod label;
mod launch;
mod limits;
mod listener;
mod mount;
mod netdev;
mod place;
mod plan;
mod program;
mod rdt;
mod sources;
mod sysctl;
mod systemd;
mod tuning;
mod update;
mod user;

pub use config::{
    About, Bond, Config, Created, Entry, ExecConfig, Executed, Gate, Keyring, Namespaces, Root,
    Running, Stdio,
};
pub use create::create;
pub use error::{Error, Kind, Result};
pub use exec::exec;
pub use filter::Confinement;
pub use gate::release;
pub use group::make_group;
pub use hook::{Turn, run_each, run_hooks};
pub use known::{Known, known};
pub use plan::check;
pub use rdt::release_rdt;
pub use systemd::{Scope, is_booted};
pub use update::update;
pub use user::{User, resolve_groups, resolve_user};
