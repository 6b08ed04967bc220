//! Values of flags: text → typed value, in Docker's grammar.
//!
//! Pure: files (`--env-file`) and the environment (`-e NAME`) are passed in. An error says what was expected; the
//! command's parser adds which flag it was.

mod keys;
mod list;
mod mount;
mod network;
mod port;
mod quantity;

pub(crate) use keys::{DetachKeys, detach_keys};
pub(crate) use list::{Device, device, env_file, host_entry, label, label_file, pair};
pub(crate) use mount::{Bind, MountKind, MountSpec, bind, mount, tmpfs};
pub(crate) use network::{NetworkSpec, network};
pub(crate) use port::{Published, exposed, publish};
pub(crate) use quantity::{
    Restart, Ulimit, boolean, bytes, bytes_or_unlimited, cpus, duration, restart, ulimit, when,
};

#[cfg(test)]
mod tests;
