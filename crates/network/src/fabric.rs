//! What is applied to the host: [`Fabric`].
//!
//! Rules come before links, so that nothing is reachable before its rules are there (and after its rules are gone its links are). What a container has is made by
//! one transaction of rules and two netlink calls for its links; its bridge costs them once.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use kernel::Errno;
use kernel::netlink::conntrack::{self, Flow};
use kernel::netlink::nft::{self, Batch, Family as Table};
use kernel::netlink::route::{self, Link};
use kernel::netlink::{Socket, Topic};

use crate::endpoint::Endpoint;
use crate::error::{Doing, Error, Kind, Result};
use crate::network::{Driver, Network};
use crate::publish::{Binding, Protocol};
use crate::rules::{self, Elements};
use crate::subnet::{Family, Subnet};
use links::Links;

mod again;
mod foreign;
mod host;
mod links;
mod ports;

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

    /// Makes the network's part on the host: for a bridge network, the bridge, its addresses and sysctls, and its rules, rules first. Does nothing if all is there. [`Fabric::attach`]
    /// calls it; by itself it is for `network create`, to find out what is wrong early.
    ///
    /// `ip_forward` is switched on when it is off and the network leads out; then what is not ours is kept from being forwarded, as Docker does, and a warning
    /// says so. It is switched off again by whoever removes the last network.
    ///
    /// # Errors
    /// A link of that name is there and is not ours; the parent interface of a macvlan does not exist; the kernel can't do it.
    pub fn ensure_network(&self, network: &Network) -> Result<Vec<Warning>> {
        let _lock = self.notes.lock()?;
        let hands = self.hands()?;
        self.ensure(&hands, network)
    }

    fn ensure(&self, hands: &Hands, network: &Network) -> Result<Vec<Warning>> {
        if !network.driver.has_links() || hands.links.base_of(network)?.is_some() {
            // A bridge of the user's own is there before its rules are.
            if network.driver == Driver::Bridge && network.options.bridge.is_some() {
                self.put_rules(hands, &[network], &rules::of_network(network))?;
            }
            return Ok(Vec::new());
        }
        self.build(hands, network)
    }

    /// Makes what is not there.
    fn build(&self, hands: &Hands, network: &Network) -> Result<Vec<Warning>> {
        let mut warnings = Vec::new();
        if network.driver == Driver::Bridge {
            self.put_rules(hands, &[], &rules::of_network(network))?;
            if !network.internal {
                let v6 = network.has(Family::V6) && host::has_ipv6();
                warnings.extend(self.notes.forward(v6, |closed| self.close(hands, closed))?);
            }
        }
        let mtu = egress(&hands.links.socket)?.map(|egress| egress.mtu);
        let made = hands.links.make_base(network, mtu);
        made.inspect_err(|_| drop(self.forget_network(hands, network)))?;
        Ok(warnings)
    }

    /// Keeps what is not ours from being forwarded: the rules that say so are put at the end of the chain.
    fn close(&self, hands: &Hands, closed: rules::Closed) -> Result<()> {
        let mut batch = Batch::new(Table::Inet, &self.table());
        rules::close(&mut batch, closed);
        batch
            .commit(&hands.rules)
            .doing("can't keep the host from forwarding for others")
    }

    /// Puts elements into the tables, which are made if they are not there, then with what `networks` need. Whether they were not there.
    fn put_rules(&self, hands: &Hands, networks: &[&Network], elements: &Elements) -> Result<bool> {
        let failed = "can't change the rules of the network";
        let table = self.table();
        let mut batch = Batch::new(Table::Inet, &table);
        elements.add_to(&mut batch, &table);
        match batch.commit(&hands.rules) {
            Err(error) if error.errno() == Errno::NOENT => {}
            other => {
                other.doing(failed)?;
                return Ok(false);
            }
        }
        // One of the two may still be there.
        let mut batch = Batch::new(Table::Inet, &table);
        for family in [Table::Inet, Table::Bridge] {
            batch.turn_to(family, &table);
            batch.add_table();
            batch.delete_table();
        }
        batch.append(rules::base(&table, self.notes.closed()));
        for network in networks {
            rules::of_network(network).add_to(&mut batch, &table);
        }
        elements.add_to(&mut batch, &table);
        batch.commit(&hands.rules).doing(failed)?;
        Ok(true)
    }

    /// Takes elements out; those that are not there are no error.
    fn take_rules(&self, hands: &Hands, elements: &Elements) -> Result<()> {
        let table = self.table();
        let take = |elements: &Elements| {
            let mut batch = Batch::new(Table::Inet, &table);
            elements.delete_from(&mut batch, &table);
            match batch.commit(&hands.rules) {
                Err(error) if error.errno() == Errno::NOENT => Ok(false),
                other => other
                    .doing("can't change the rules of the network")
                    .map(|()| true),
            }
        };
        if !take(elements)?
            && nft::has_table(&hands.rules, Table::Inet, &table)
                .doing("can't look for our rules")?
        {
            // Another has taken some of them.
            for one in elements.one_by_one() {
                take(&one)?;
            }
        }
        Ok(())
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

    fn open_one<'a>(
        &self,
        hands: &Hands,
        network: &Network,
        bindings: impl Iterator<Item = &'a Binding>,
    ) -> Result<Vec<Warning>> {
        let mut warnings = foreign::pass(&hands.rules, &self.config.tag, &network.bridge())?;
        if needs_loopback(bindings)
            && let Some(bridge) = hands.links.base_of(network)?
            && let Err(error) = hands.links.open_to_loopback(&bridge)
        {
            warnings.push(Warning {
                message: format!("published ports are not reachable at 127.0.0.1: {error}"),
                hint: Some("use another address of this host".to_owned()),
            });
        }
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

    /// Publishes more ports of a running container.
    ///
    /// # Errors
    /// Nothing is published then.
    pub fn publish(&self, network: &Network, bindings: &[Binding]) -> Result<Vec<Warning>> {
        let _lock = self.notes.lock()?;
        let hands = self.hands()?;
        let elements = elements_of(&[], bindings);
        self.put_rules(&hands, &[network], &elements)?;
        let opened = self.open_one(&hands, network, bindings.iter());
        opened
            .and_then(|warnings| self.forget_stale(bindings).map(|()| warnings))
            .inspect_err(|_| drop(self.take_rules(&hands, &elements)))
    }

    /// Takes published ports back, and ends what came through them. One that is not published is no error.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn unpublish(&self, bindings: &[Binding]) -> Result<()> {
        let _lock = self.notes.lock()?;
        let hands = self.hands()?;
        self.take_rules(&hands, &elements_of(&[], bindings))?;
        let through = |flow: &Flow| {
            bindings
                .iter()
                .any(|b| leads_through(b, flow) && flow.reply.source == b.target)
        };
        self.forget_flows(bindings.iter().map(|b| b.target), through)
    }

    /// Forgets connections that began before their ports were published: the kernel would keep sending them to where nobody listens, as each packet of a UDP
    /// sender keeps its connection alive. TCP connections end by themselves.
    fn forget_stale(&self, bindings: &[Binding]) -> Result<()> {
        let datagrams: Vec<&Binding> = bindings
            .iter()
            .filter(|b| b.protocol != Protocol::Tcp && !b.is_direct())
            .collect();
        let stale = |flow: &Flow| {
            datagrams
                .iter()
                .any(|b| leads_through(b, flow) && flow.reply.source != b.target)
        };
        self.forget_flows(datagrams.iter().map(|b| b.target), stale)
    }

    /// Forgets the connections that `which` chooses, in the families of these addresses.
    fn forget_flows(
        &self,
        addresses: impl Iterator<Item = IpAddr>,
        mut which: impl FnMut(&Flow) -> bool,
    ) -> Result<()> {
        let families: BTreeSet<Family> = addresses.map(Family::of).collect();
        if families.is_empty() {
            return Ok(());
        }
        let socket =
            Socket::open(Topic::Netfilter).doing("can't reach the kernel's connections")?;
        for family in families {
            let number = if family == Family::V4 { 2 } else { 10 };
            conntrack::forget(&socket, number, &mut which).doing("can't forget old connections")?;
        }
        Ok(())
    }

    /// Removes the network's part on the host: bridge, rules. With the last network go the tables, and what was changed for them on the host.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn remove_network(&self, network: &Network) -> Result<()> {
        let _lock = self.notes.lock()?;
        self.forget_network(&self.hands()?, network)
    }

    /// Removes the network's part on the host if no container is on it: nothing of ours stays on the host when no container needs it. Whether it was so.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn release_network(&self, network: &Network) -> Result<bool> {
        let _lock = self.notes.lock()?;
        let hands = self.hands()?;
        let Some(base) = hands.links.base_of(network)? else {
            return Ok(true);
        };
        let links = route::links(&hands.links.socket).doing("can't list links")?;
        let on_it = |link: &Link| {
            link.master == Some(base.index)
                || (link.parent == Some(base.index) && link.index != base.index)
        };
        if links.iter().any(on_it) {
            return Ok(false);
        }
        self.forget_network(&hands, network)?;
        Ok(true)
    }

    fn forget_network(&self, hands: &Hands, network: &Network) -> Result<()> {
        let name = links::base_name(network);
        let ours = hands
            .links
            .find(&name)?
            .is_some_and(|link| link.group == hands.links.group);
        if ours {
            hands.links.remove(&name)?;
        }
        if network.driver == Driver::Bridge {
            foreign::withdraw(&hands.rules, &self.config.tag, Some(&name))?;
            self.take_rules(hands, &rules::of_network(network))?;
        }
        let table = self.table();
        let bridges = nft::elements(&hands.rules, Table::Inet, &table, "bridges")
            .doing("can't read our rules")?;
        if bridges.is_empty() {
            self.remove_tables(hands)?;
            self.notes.restore()?;
        }
        Ok(())
    }

    fn remove_tables(&self, hands: &Hands) -> Result<()> {
        for family in [Table::Inet, Table::Bridge] {
            let mut batch = Batch::new(family, &self.table());
            batch.delete_table();
            match batch.commit(&hands.rules) {
                Err(error) if error.errno() == Errno::NOENT => {}
                other => other.doing("can't remove our rules")?,
            }
        }
        Ok(())
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

fn elements_of(endpoints: &[(&Network, &Endpoint)], bindings: &[Binding]) -> Elements {
    let mut all = Elements::default();
    for (network, endpoint) in endpoints {
        all.join(rules::of_endpoint(network, endpoint));
    }
    for binding in bindings {
        all.join(rules::of_binding(binding));
    }
    all
}

/// Whether a connection was made to a published port.
fn leads_through(binding: &Binding, flow: &Flow) -> bool {
    let to = flow.original;
    let here = binding.host_ip.is_unspecified() || binding.host_ip == to.destination;
    let host = binding.host;
    to.protocol == binding.protocol.number()
        && here
        && (host.first()..=host.last()).contains(&to.port)
}

/// Whether some of these are published where the host's loopback addresses are meant too.
fn needs_loopback<'a>(mut bindings: impl Iterator<Item = &'a Binding>) -> bool {
    let loopback = |ip: IpAddr| ip.is_ipv4() && (ip.is_unspecified() || ip.is_loopback());
    bindings.any(|binding| loopback(binding.host_ip))
}

fn egress(socket: &Socket) -> Result<Option<Egress>> {
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
