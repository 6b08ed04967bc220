//! What is applied to the host: [`Fabric`].

use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use crate::endpoint::Endpoint;
use crate::error::{Error, Kind, Result};
use crate::network::{Network, NetworkId};
use crate::publish::{Binding, Ports, Probe, Protocol};
use crate::subnet::Subnet;

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

/// Where packets to the world leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Egress {
    /// The interface's index.
    pub index: u32,
    /// Its MTU.
    pub mtu: u32,
}

/// What [`Fabric::attach`] has made.
#[derive(Debug, Default)]
pub struct Attached {
    /// What the user should hear.
    pub warnings: Vec<Warning>,
}

/// The hands of this crate: applies networks, endpoints and published ports to the network namespace of the calling thread. Cheap to make: opens nothing.
///
/// Each method takes the lock of the rules (`network/rules.lock` below the run directory) for the milliseconds in which it changes them, so that any number
/// of processes may call at once.
#[derive(Debug, Clone)]
pub struct Fabric {
    config: Config,
}

/// A new network namespace, made by a thread that ends at once. Its `lo` is up. The descriptor keeps it alive.
///
/// # Errors
/// No right, or no more namespaces.
pub fn new_namespace() -> Result<OwnedFd> {
    Err(building())
}

impl Fabric {
    /// The hands of an installation.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self { config }
    }

    /// The subnets of all routes of the host but the default ones, and of its addresses, for [`crate::ipam::Sources::choose`].
    ///
    /// # Errors
    /// netlink failed.
    pub fn routes(&self) -> Result<Vec<Subnet>> {
        let _ = &self.config;
        Err(building())
    }

    /// Where packets to the world leave: by the default route with the lowest metric, IPv4 first. None: the host has no default route.
    ///
    /// # Errors
    /// netlink failed.
    pub fn egress(&self) -> Result<Option<Egress>> {
        Err(building())
    }

    /// Makes the network's part on the host: for a bridge network, the bridge, its addresses and sysctls, and its rules, rules first. Does nothing if all is there. [`Fabric::attach`]
    /// calls it; by itself it is for `network create`, to find out what is wrong early.
    ///
    /// `ip_forward` is switched on when it is off and the network leads out; then what is not ours is kept from being forwarded, as Docker does, and a warning
    /// says so. It is switched off again by whoever removes the last network.
    ///
    /// # Errors
    /// A link of that name is there and is not ours; the parent interface of a macvlan does not exist; the kernel can't do it.
    pub fn ensure_network(&self, network: &Network) -> Result<Vec<Warning>> {
        let _ = network;
        Err(building())
    }

    /// Puts a container's namespace on its networks and publishes its ports: first the rules, in one transaction, then the links. `endpoints` are all that the
    /// container is to have after it: the way out is decided among them; those that are attached already are left as they are.
    ///
    /// # Errors
    /// Whatever was made by this call is undone.
    pub fn attach(
        &self,
        endpoints: &[(&Network, &Endpoint)],
        bindings: &[Binding],
        namespace: BorrowedFd<'_>,
    ) -> Result<Attached> {
        let _ = (endpoints, bindings, namespace, &self.config);
        Err(building())
    }

    /// Takes a running container off one network (`network disconnect`): the link, the rules, the connections. `left` are the endpoints that it keeps: one of
    /// them leads out now.
    ///
    /// # Errors
    /// The kernel refused; what could be undone is.
    pub fn disconnect(
        &self,
        gone: (&Network, &Endpoint),
        bindings: &[Binding],
        left: &[(&Network, &Endpoint)],
        namespace: BorrowedFd<'_>,
    ) -> Result<()> {
        let _ = (gone, bindings, left, namespace);
        Err(building())
    }

    /// Forgets a container that has ended: its rules and its connections. Its links have gone with its namespace.
    ///
    /// # Errors
    /// The kernel refused; the rest is undone all the same.
    pub fn detach(&self, endpoints: &[(&Network, &Endpoint)], bindings: &[Binding]) -> Result<()> {
        let _ = (endpoints, bindings);
        Err(building())
    }

    /// Publishes more ports of a running container.
    ///
    /// # Errors
    /// Nothing is published then.
    pub fn publish(&self, network: &Network, bindings: &[Binding]) -> Result<Vec<Warning>> {
        let _ = (network, bindings);
        Err(building())
    }

    /// Takes published ports back, and ends what came through them. One that is not published is no error.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn unpublish(&self, bindings: &[Binding]) -> Result<()> {
        let _ = bindings;
        Err(building())
    }

    /// Removes the network's part on the host: bridge, rules. With the last network go the tables, and what was changed for them on the host.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn remove_network(&self, network: &Network) -> Result<()> {
        let _ = network;
        Err(building())
    }

    /// Makes the host as `desired` says, which is asked under the lock of the rules: rules are replaced in one transaction, bridges that are missing are made
    /// and their links put on them again; whatever carries our tag and is not desired is removed. So it is what a watcher does after `nft flush ruleset`, what is
    /// done after a kill, and with nothing desired the end of it all. Gives what it had to remove or to make again.
    ///
    /// # Errors
    /// `desired`'s, or the kernel refused.
    pub fn reapply(&self, desired: impl FnOnce() -> Result<Desired>) -> Result<Vec<String>> {
        drop(desired);
        Err(building())
    }

    /// What carries our tag and is not in `desired`: for a check, without changing anything.
    ///
    /// # Errors
    /// The kernel can't be asked.
    pub fn leftovers(&self, desired: &Desired) -> Result<Vec<String>> {
        let _ = desired;
        Err(building())
    }

    /// The name of the bridge of a network that is there now, for `inspect`.
    ///
    /// # Errors
    /// netlink failed.
    pub fn is_up(&self, network: &NetworkId) -> Result<bool> {
        let _ = network;
        Err(building())
    }
}

impl Probe for Fabric {
    fn free(&self, _protocol: Protocol, _address: SocketAddr) -> Result<()> {
        Err(building())
    }

    fn ephemeral(&self) -> Ports {
        Ports::new(32768, 60999).unwrap_or_else(|_| unreachable!("constants in order"))
    }
}

fn building() -> Error {
    Error::new(Kind::Unsupported, "networks are being built")
}
