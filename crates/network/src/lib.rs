//! Networks of containers: addresses, links, nftables rules, published ports.
//!
//! First a plan, made by pure functions from values ([`Network`], [`Endpoint`], [`Binding`]) and tested without root; then [`Fabric`], which applies it
//! through netlink in this process: no `ip`, `nft` or `iptables` is executed. Whatever is applied can be applied again from state at any time, and is
//! undone completely.
//!
//! Knows neither names, nor containers' lives, nor SQL: the caller passes what is wanted, and says what still lives.
//!
//! Reading order: [`Network`] and [`Endpoint`], [`ipam`], [`publish`], then [`Fabric`].

pub mod endpoint;
mod error;
pub mod fabric;
pub mod ipam;
pub mod network;
pub mod options;
pub mod publish;
mod rules;
#[cfg(test)]
mod samples;
pub mod subnet;

pub use endpoint::Endpoint;
pub use error::{Error, Kind, Result};
pub use fabric::{Desired, Fabric, Warning};
pub use network::{Driver, Network, NetworkId, Pool};
pub use options::Options;
pub use publish::{Binding, Ports, Protocol, Publish};
pub use subnet::{Family, Mac, Subnet};
