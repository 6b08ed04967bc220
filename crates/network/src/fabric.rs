//! What is applied to the host: [`Fabric`].
//!
//! Rules come before links, so that nothing is reachable before its rules are there (and after its rules are gone its links are). What a container has is made by
//! one transaction of rules and two netlink calls for its links; its bridge costs them once.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use kernel::netlink::{Socket, Topic};

use crate::endpoint::Endpoint;
use crate::error::{Doing, Result};
use crate::network::Network;
use crate::publish::Binding;
use links::Links;

mod again;
mod attach;
mod base;
mod flows;
mod foreign;
mod host;
mod links;
mod names;
mod ports;
mod published;
mod rehearse;
mod survey;
mod tables;

pub use survey::Egress;

pub use host::has_ipv6;
pub use names::{Home, new_home};

/// What an installation's links and rules are known by, and where it keeps its locks.
#[derive(Debug, Clone)]
pub struct Config {
    /// `/run/tare` of a real engine: locks, and what was changed on the host (`network/`).
    pub run: PathBuf,
    /// Distinguishes the engines of one network namespace: 1 to 8 letters and digits that stay the same for an installation. All links carry it as their
    /// group, all tables in their name. Empty for the engine of the standard directories: its table is `tare`.
    pub tag: String,
}

/// Something that the user should hear loudly, at `run` or `network create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What is so.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// All that should be on the host: every network that a living container is on, and all of their endpoints and published ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// The networks that are in use, or that are kept.
    pub networks: Vec<Network>,
    /// The endpoints of living containers.
    pub endpoints: Vec<Endpoint>,
    /// Their published ports.
    pub bindings: Vec<Binding>,
}

/// What [`Fabric::attach`] has found.
#[derive(Debug, Default)]
pub struct Attached {
    /// What the user should hear.
    pub warnings: Vec<Warning>,
    /// Whether the tables were not there though networks were: somebody has flushed them. What other containers need is not back yet; see [`Fabric::reapply`].
    pub rules_were_gone: bool,
}

/// The hands of this crate: applies networks, endpoints and published ports to the network namespace of the calling thread. Cheap to make: opens nothing.
///
/// Each method takes the lock of the rules (`network/rules.lock` below the run directory) for the milliseconds in which it changes them, so that any number
/// of processes may call at once.
#[derive(Debug, Clone)]
pub struct Fabric {
    config: Config,
    notes: host::Notes,
}

/// The sockets of one call.
#[derive(Debug)]
struct Hands {
    links: Links,
    rules: Socket,
}

/// A new network namespace, made by a thread that ends at once. Its `lo` is up. The descriptor keeps it alive.
///
/// # Errors
/// No right, or no more namespaces.
pub fn new_namespace() -> Result<OwnedFd> {
    links::new_namespace()
}

impl Fabric {
    /// The hands of an installation.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let notes = host::Notes::below(&config.run);
        Self { config, notes }
    }

    /// The name of the tables, `inet` and `bridge`.
    #[must_use]
    pub fn table(&self) -> String {
        match self.config.tag.as_str() {
            "" => "tare".to_owned(),
            tag => format!("tare-{tag}"),
        }
    }

    /// The group of all links: the FNV-1a hash of the tag, and never 0, which is everybody's.
    #[must_use]
    pub fn group(&self) -> u32 {
        let hash = self.table().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        hash.max(1)
    }

    fn hands(&self) -> Result<Hands> {
        let rules = Socket::open(Topic::Netfilter).doing("can't reach the kernel's nf_tables")?;
        Ok(Hands {
            links: Links::open(self.group())?,
            rules,
        })
    }

    /// Makes the host as `desired` says, which is asked under the lock of the rules: rules are replaced in one transaction, bridges that are missing are made
    /// and their links put on them again; whatever carries our tag and is not desired is removed. So it is what a watcher does after `nft flush ruleset`, what is
    /// done after a kill, and with nothing desired the end of it all. Gives what it had to remove or to make again.
    ///
    /// # Errors
    /// `desired`'s, or the kernel refused.
    pub fn reapply(&self, desired: impl FnOnce() -> Result<Desired>) -> Result<Vec<String>> {
        let _lock = self.notes.lock()?;
        again::reapply(self, &self.hands()?, &desired()?)
    }

    /// What carries our tag and is not in `desired`: for a check, without changing anything.
    ///
    /// # Errors
    /// The kernel can't be asked.
    pub fn leftovers(&self, desired: &Desired) -> Result<Vec<String>> {
        again::leftovers(self, &self.hands()?, desired)
    }

    /// Whether the network's part on the host is there.
    ///
    /// # Errors
    /// netlink failed.
    pub fn is_up(&self, network: &Network) -> Result<bool> {
        Ok(self.hands()?.links.base_of(network)?.is_some())
    }
}
