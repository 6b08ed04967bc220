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
use crate::rules::Elements;
use crate::subnet::Family;

/// What an attachment that failed half way has made.
#[derive(Debug, Default)]
struct Undo<'a> {
    networks: Vec<&'a Network>,
    fresh: Vec<(&'a Network, &'a Endpoint)>,
    elements: Elements,
}

impl Fabric {
    /// Puts a container's namespace on its networks and publishes its ports: first the rules, in one transaction, then the links. `endpoints` are all that the
    /// container is to have after it: the way out is decided among them; those that are attached already are left as they are. `bindings` are the ports that are
    /// not published yet.
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
        let linked = endpoints.iter().filter(|(n, _)| n.driver.has_links());
        let linked: Vec<_> = linked.copied().collect();
        let mut attached = Attached::default();
        let mut undo = Undo::default();
        let mut attach = || {
            for (network, _) in &linked {
                if self.ensure(&hands, network, &mut attached)? {
                    undo.networks.push(network);
                }
            }
            undo.fresh = missing(&linked, namespace)?;
            undo.elements = elements_of(&undo.fresh, bindings);
            let networks: Vec<&Network> = linked.iter().map(|(network, _)| *network).collect();
            attached.rules_were_gone |= self.put_rules(&hands, &networks, &undo.elements)?;
            self.link(&hands, &linked, &undo.fresh, namespace)?;
            let warnings = self.open(&hands, &linked, bindings)?;
            attached.warnings.extend(warnings);
            Ok(())
        };
        let done = attach();
        // The first error is the one to hear.
        done.inspect_err(|_| self.undo(&hands, &undo, namespace))?;
        Ok(attached)
    }

    /// Links before rules: nothing is reachable without its rules.
    fn undo(&self, hands: &Hands, undo: &Undo<'_>, namespace: BorrowedFd<'_>) {
        for (network, endpoint) in &undo.fresh {
            if network.driver == Driver::Bridge {
                drop(hands.links.remove(&endpoint.host_link()));
            } else {
                let name = &endpoint.interface;
                drop(links::within(namespace, || {
                    Links::open(self.group())?.remove(name)
                }));
            }
        }
        drop(self.take_rules(hands, &undo.elements));
        for network in &undo.networks {
            drop(self.forget_network(hands, network));
        }
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

/// Those endpoints whose links are not in the namespace.
fn missing<'a>(
    linked: &[(&'a Network, &'a Endpoint)],
    namespace: BorrowedFd<'_>,
) -> Result<Vec<(&'a Network, &'a Endpoint)>> {
    let there = links::within(namespace, || {
        let socket = Socket::open(Topic::Route).doing("can't reach the container's network")?;
        let there = linked.iter();
        let there = there.map(|(_, endpoint)| links::is_inside(&socket, &endpoint.interface));
        there.collect::<Result<Vec<_>>>()
    })?;
    let missing = linked.iter().zip(there).filter(|(_, there)| !there);
    Ok(missing.map(|(pair, _)| *pair).collect())
}
