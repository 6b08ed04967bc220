//! What the host has: routes, the way to the world, and rules.

use std::collections::BTreeSet;

use kernel::netlink::nft::{self, Family as Table};
use kernel::netlink::{Socket, Topic, route};

use super::links::Links;
use super::{Fabric, Warning, foreign};
use crate::error::{Doing, Result};
use crate::network::{Driver, Network};
use crate::subnet::Subnet;

/// Where packets to the world leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Egress {
    /// The interface's index.
    pub index: u32,
    /// Its MTU.
    pub mtu: u32,
}

impl Fabric {
    /// Whether our rules are there: if not, and networks are in use, somebody has flushed them.
    ///
    /// # Errors
    /// netlink failed.
    pub fn has_rules(&self) -> Result<bool> {
        let socket = Socket::open(Topic::Netfilter).doing("can't reach the kernel's nf_tables")?;
        let there = |family| {
            nft::has_table(&socket, family, &self.table()).doing("can't look for our rules")
        };
        Ok(there(Table::Inet)? && there(Table::Bridge)?)
    }

    /// What other firewalls of this host will refuse of a network, where that can be told: nothing is changed.
    ///
    /// # Errors
    /// netlink failed.
    pub fn objections(&self, network: &Network) -> Result<Vec<Warning>> {
        if network.driver != Driver::Bridge || network.internal {
            return Ok(Vec::new());
        }
        let socket = Socket::open(Topic::Netfilter).doing("can't reach the kernel's nf_tables")?;
        foreign::objections(&socket, &network.bridge())
    }

    /// The subnets of all routes of the host but the default ones, and of its addresses, for [`crate::ipam::Sources::choose`].
    ///
    /// # Errors
    /// netlink failed.
    pub fn routes(&self) -> Result<Vec<Subnet>> {
        let socket = Links::open(self.group())?.socket;
        let routes = route::routes(&socket).doing("can't list the host's routes")?;
        let addresses = route::addresses(&socket).doing("can't list the host's addresses")?;
        let routes = routes.iter().filter(|route| route.prefix > 0);
        let all: BTreeSet<Subnet> = routes
            .map(|route| (route.to, route.prefix))
            .chain(addresses.iter().map(|one| (one.address, one.prefix)))
            .filter_map(|(address, prefix)| Subnet::new(address, prefix).ok())
            .collect();
        Ok(all.into_iter().collect())
    }

    /// Where packets to the world leave: by the default route with the lowest metric, IPv4 first. None: the host has no default route.
    ///
    /// # Errors
    /// netlink failed.
    pub fn egress(&self) -> Result<Option<Egress>> {
        egress(&Links::open(self.group())?.socket)
    }
}

pub(super) fn egress(socket: &Socket) -> Result<Option<Egress>> {
    const MAIN: u32 = 254;
    let routes = route::routes(socket).doing("can't list the host's routes")?;
    let out = routes
        .iter()
        .filter(|r| r.prefix == 0 && r.table == MAIN && r.index.is_some_and(|i| i != 1));
    let best = out.min_by_key(|r| (!r.to.is_ipv4(), r.metric));
    let Some(index) = best.and_then(|route| route.index) else {
        return Ok(None);
    };
    let links = route::links(socket).doing("can't list links")?;
    let link = links.iter().find(|link| link.index == index);
    Ok(link.map(|link| Egress {
        index,
        mtu: link.mtu,
    }))
}
