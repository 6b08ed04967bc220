//! Containers on their networks: the rules first, then the links; and off them again.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use kernel::netlink::conntrack::Flow;
use kernel::netlink::{Socket, Topic};

use super::links::Links;
use super::tables::elements_of;
use super::{Attached, Fabric, Hands, Warning, links};
use crate::endpoint::Endpoint;
use crate::error::{Doing, Error, Kind, Result};
use crate::network::{Driver, Network};
use crate::publish::Binding;
use crate::subnet::Family;

impl Fabric {
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
        let _lock = self.notes.lock()?;
        let hands = self.hands()?;
        let linked: Vec<_> = endpoints
            .iter()
            .filter(|(n, _)| n.driver.has_links())
            .copied()
            .collect();
        let mut attached = Attached::default();
        for (network, _) in &linked {
            attached.warnings.extend(self.ensure(&hands, network)?);
        }
        let there = links::within(namespace, || {
            let socket = Socket::open(Topic::Route).doing("can't reach the container's network")?;
            linked
                .iter()
                .map(|(_, e)| links::is_inside(&socket, &e.interface))
                .collect::<Result<Vec<_>>>()
        })?;
        let fresh: Vec<_> = linked
            .iter()
            .zip(there)
            .filter(|(_, there)| !there)
            .map(|(pair, _)| *pair)
            .collect();
        let elements = elements_of(&fresh, bindings);
        let networks: Vec<&Network> = linked.iter().map(|(network, _)| *network).collect();
        let done = self
            .put_rules(&hands, &networks, &elements)
            .and_then(|gone| {
                attached.rules_were_gone = gone;
                self.link(&hands, &linked, &fresh, namespace)
            })
            .and_then(|()| self.open(&hands, &linked, bindings));
        match done {
            Ok(warnings) => attached.warnings.extend(warnings),
            Err(error) => {
                // The first error is the one to hear.
                drop(self.take_rules(&hands, &elements));
                for (network, endpoint) in fresh {
                    if network.driver == Driver::Bridge {
                        drop(hands.links.remove(&endpoint.host_link()));
                    }
                }
                return Err(error);
            }
        }
        Ok(attached)
    }

    fn link(
        &self,
        hands: &Hands,
        all: &[(&Network, &Endpoint)],
        fresh: &[(&Network, &Endpoint)],
        namespace: BorrowedFd<'_>,
    ) -> Result<()> {
        for (network, endpoint) in fresh {
            let base = hands.links.base_of(network)?.ok_or_else(|| {
                Error::new(
                    Kind::NotFound,
                    format!("network {} has lost its link", network.name),
                )
            })?;
            hands
                .links
                .make_endpoint(network, endpoint, &base, namespace)?;
        }
        if fresh.is_empty() {
            return Ok(());
        }
        links::within(namespace, || {
            let socket = Socket::open(Topic::Route).doing("can't reach the container's network")?;
            for (network, endpoint) in fresh {
                links::settle(&socket, network, endpoint)?;
            }
            links::lead_out(&socket, all)
        })
    }

    /// What published ports need besides their elements, and what other firewalls say to all of it.
    fn open(
        &self,
        hands: &Hands,
        networks: &[(&Network, &Endpoint)],
        bindings: &[Binding],
    ) -> Result<Vec<Warning>> {
        let mut warnings = Vec::new();
        for (network, _) in networks
            .iter()
            .filter(|(n, _)| n.driver == Driver::Bridge && !n.internal)
        {
            let here = |b: &&Binding| network.pools.iter().any(|p| p.subnet.contains(b.target));
            warnings.extend(self.open_one(hands, network, bindings.iter().filter(here))?);
        }
        self.forget_stale(bindings)?;
        Ok(warnings)
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
        let _lock = self.notes.lock()?;
        let hands = self.hands()?;
        let name = gone.1.interface.clone();
        let unlinked = links::within(namespace, || {
            let inside = Links::open(self.group())?;
            inside.remove(&name)?;
            let left: Vec<_> = left
                .iter()
                .filter(|(n, _)| n.driver.has_links())
                .copied()
                .collect();
            links::lead_out(&inside.socket, &left)
        });
        let forgotten = self.forget(&hands, &[gone], bindings);
        unlinked.and(forgotten)
    }

    /// Forgets a container that has ended: its rules and its connections. Its links have gone with its namespace.
    ///
    /// # Errors
    /// The kernel refused; the rest is undone all the same.
    pub fn detach(&self, endpoints: &[(&Network, &Endpoint)], bindings: &[Binding]) -> Result<()> {
        let _lock = self.notes.lock()?;
        self.forget(&self.hands()?, endpoints, bindings)
    }

    fn forget(
        &self,
        hands: &Hands,
        endpoints: &[(&Network, &Endpoint)],
        bindings: &[Binding],
    ) -> Result<()> {
        let unruled = self.take_rules(hands, &elements_of(endpoints, bindings));
        // A later container may get the address: nobody's old connection leads to it.
        let addresses: BTreeSet<IpAddr> = endpoints
            .iter()
            .flat_map(|(_, e)| [e.address(Family::V4), e.address(Family::V6)])
            .flatten()
            .collect();
        let its = |flow: &Flow| {
            addresses.contains(&flow.original.source) || addresses.contains(&flow.reply.source)
        };
        let forgotten = self.forget_flows(addresses.iter().copied(), its);
        unruled.and(forgotten)
    }
}
