//! Safe doors to Linux.
//!
//! Each module is a door to one part of the kernel: it takes and gives owned descriptors and plain values, keeps no state of its own, reads no
//! environment, and knows neither images nor containers nor any other crate of the project. All `unsafe` code is in the private module `raw`, one system call a
//! function.
//!
//! Reading order:
//! 1. [`Error`], and [`root`]: how paths inside a container are reached; [`atomic`] and [`tree`], how files are replaced and directories removed.
//! 2. [`process`] (spawn, clone, pidfd, identity), [`signal`], [`lock`], [`socket`], [`memfd`], [`random`]: what every process of ours is made of.
//! 3. [`mount`], [`mountinfo`], [`namespace`], [`procfs`]: what a container's world is made of.
//! 4. [`cgroup`], [`seccomp`], [`capability`], [`rlimit`], [`scheduling`], [`oom`], [`keyring`]: what limits it. Each is a pure plan first, then a thin applier.
//! 5. [`pty`] and [`terminal`], [`loopdev`], [`netlink`], [`netdev`], [`user`], [`probe`].

pub mod atomic;
pub mod capability;
pub mod cgroup;
mod error;
pub mod inherited;
pub mod keyring;
pub mod lock;
pub mod loopdev;
pub mod memfd;
pub mod memory;
pub mod mount;
pub mod mountinfo;
pub mod namespace;
pub mod netdev;
pub mod netlink;
pub mod oom;
pub mod probe;
pub mod process;
pub mod procfs;
pub mod pty;
pub mod random;
mod raw;
pub mod rlimit;
pub mod root;
pub mod scheduling;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod terminal;
pub mod tree;
pub mod user;

pub use error::{Error, Result};
pub use process::{Pid, PidFd};
pub use rustix::io::Errno;
