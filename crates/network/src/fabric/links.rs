//! Links: bridges, and what containers hang on them.

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

use kernel::Errno;
use kernel::namespace::{self, Kind as Namespace};
use kernel::netlink::route::{self, Link, LinkLocal, NewLink, NoGateway, PortSettings, State, Sub};
use kernel::netlink::{Socket, Topic, loopback_guard, loopback_up};

use super::host::{has_ipv6, write_sysctl};
use crate::endpoint::{Endpoint, way_out};
use crate::error::{Doing, Error, Kind, Result};
use crate::network::{Driver, Network};
use crate::options::{IpvlanFlag, IpvlanMode, MacvlanMode};
use crate::rules;
use crate::subnet::Family;

/// What links have when neither the network nor the way out says otherwise.
const MTU: u32 = 1500;

/// Does `work` on a thread of its own in the network namespace `namespace`: a thread's namespace can't be left safely in a process with others.
pub(super) fn within<T: Send>(
    namespace: BorrowedFd<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    let inside = || {
        namespace::setns_one(namespace, Namespace::Net)
            .doing("can't enter the container's network")?;
        work()
    };
    thread::scope(|scope| scope.spawn(inside).join())
        .unwrap_or_else(|_| Err(Error::new(Kind::Other, "a thread of the network has ended")))
}

/// See [`super::new_namespace`].
pub(super) fn new_namespace() -> Result<OwnedFd> {
    let make = || {
        namespace::unshare(&[Namespace::Net]).doing("can't make a network namespace")?;
        loopback_up().doing("can't bring up lo")?;
        namespace::open_own(Namespace::Net).doing("can't open a network namespace")
    };
    thread::spawn(make)
        .join()
        .unwrap_or_else(|_| Err(Error::new(Kind::Other, "a thread of the network has ended")))
}

/// The host's side of links.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) socket: Socket,
    pub(super) group: u32,
}

impl Links {
    pub(super) fn open(group: u32) -> Result<Self> {
        let socket = Socket::open(Topic::Route).doing("can't reach the kernel's network")?;
        Ok(Self { socket, group })
    }

    pub(super) fn find(&self, name: &str) -> Result<Option<Link>> {
        route::link(&self.socket, name).doing(format!("can't look for the link {name}"))
    }

    /// All links of ours.
    pub(super) fn ours(&self) -> Result<Vec<Link>> {
        let all = route::links(&self.socket).doing("can't list links")?;
        Ok(all
            .into_iter()
            .filter(|link| link.group == self.group)
            .collect())
    }

    /// The network's link on the host, if it is there: its bridge, or the parent of its containers' links. One of that name that is somebody else's is taken
    /// only if the user has named it.
    pub(super) fn base_of(&self, network: &Network) -> Result<Option<Link>> {
        let name = base_name(network);
        let Some(link) = self.find(&name)? else {
            return Ok(None);
        };
        let named = network.options.bridge.is_some() || network.options.parent.is_some();
        if network.driver == Driver::Bridge && link.kind != "bridge" {
            return Err(
                Error::conflict(format!("the link {name} is there and is no bridge"))
                    .with_hint("choose another name (-o com.docker.network.bridge.name=NAME)"),
            );
        }
        if link.group != self.group && !named {
            return Err(Error::conflict(format!(
                "the link {name} is there and is not ours"
            )));
        }
        Ok(Some(link))
    }

    /// Makes the network's link on the host; it is not there yet, and its rules are.
    pub(super) fn make_base(&self, network: &Network, egress_mtu: Option<u32>) -> Result<()> {
        let name = base_name(network);
        let mtu = network.options.mtu.or(egress_mtu).unwrap_or(MTU);
        let new = NewLink {
            name: &name,
            mac: rules::bridge_mac(network).map(crate::Mac::bytes),
            mtu: Some(mtu),
            group: self.group,
            master: None,
            state: State::Down,
        };
        match network.driver {
            Driver::Bridge => self.make_bridge(network, &new),
            Driver::Macvlan | Driver::Ipvlan => self.make_parent(network, &new),
            Driver::Host | Driver::None => Ok(()),
        }
    }

    fn make_bridge(&self, network: &Network, new: &NewLink<'_>) -> Result<()> {
        let failed = format!("can't make the bridge {}", new.name);
        self.socket
            .request(new.name, vec![new.bridge()])
            .doing(&failed)?;
        let finish = || {
            if has_ipv6() {
                // Whatever a container says about routes, the host does not listen (CVE-2020-13401).
                write_sysctl(&format!("net/ipv6/conf/{}/accept_ra", new.name), "0")?;
                // Its link-local address is nobody else's, and until it is taken for so, a second or two, the host finds no neighbour.
                write_sysctl(&format!("net/ipv6/conf/{}/dad_transmits", new.name), "0")?;
                if !network.has(Family::V6) {
                    write_sysctl(&format!("net/ipv6/conf/{}/disable_ipv6", new.name), "1")?;
                }
            }
            let link = self
                .find(new.name)?
                .ok_or_else(|| Error::new(Kind::NotFound, &failed))?;
            self.socket
                .request(new.name, gateways(network, link.index))
                .doing(&failed)
        };
        finish().inspect_err(|_| drop(self.remove(new.name)))
    }

    /// A parent that is missing is made if its name says how: `eth0.7` is the VLAN 7 on `eth0`; without a name, a pair that leads
    /// nowhere stands for it, so that the containers reach each other and nobody else.
    fn make_parent(&self, network: &Network, new: &NewLink<'_>) -> Result<()> {
        let failed = format!("can't make the parent link {}", new.name);
        let missing = || {
            Error::new(
                Kind::NotFound,
                format!(
                    "there is no link {} for the parent of network {}",
                    new.name, network.name
                ),
            )
        };
        let message = match network.options.parent.as_deref() {
            None => {
                let other = stand_in(network);
                let other = NewLink {
                    name: &other,
                    mac: None,
                    state: State::Up,
                    ..new.clone()
                };
                new.veth(&other, None)
            }
            Some(name) => {
                let (below, number) = name.rsplit_once('.').ok_or_else(missing)?;
                let number = number
                    .parse()
                    .ok()
                    .filter(|n| (1..4095).contains(n))
                    .ok_or_else(missing)?;
                let below = self.find(below)?.ok_or_else(missing)?;
                let vlan = NewLink {
                    mac: None,
                    mtu: network.options.mtu,
                    ..new.clone()
                };
                vlan.on(below.index, Sub::Vlan(number), None)
            }
        };
        self.socket
            .request(new.name, vec![message])
            .doing(&failed)?;
        let mut messages: Vec<_> = route::raise(new.name, LinkLocal::None).into();
        if network.options.parent.is_none() {
            messages.extend(route::raise(&stand_in(network), LinkLocal::None));
        }
        self.socket.request(new.name, messages).doing(&failed)
    }

    /// Removes a link by its name; that it isn't there is no error.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let Some(link) = self.find(name)? else {
            return Ok(());
        };
        match self
            .socket
            .request(name, vec![route::delete_link(link.index)])
        {
            Err(error) if error.errno() == Errno::NODEV => Ok(()),
            other => other.doing(format!("can't remove the link {name}")),
        }
    }

    /// Lets the host's loopback addresses reach the bridge's containers, which ports published there need: first each port's guard, which keeps containers from
    /// reaching what listens on them (CVE-2020-8558) and which no flush of rules removes, then the switch. Without guards the switch stays off.
    ///
    /// The guards are at the ports: where `br_netfilter` is on, answers carry their translated destination, 127.0.0.1, when they come up at the bridge.
    pub(super) fn open_to_loopback(&self, bridge: &Link) -> Result<()> {
        if is_open_to_loopback(&bridge.name) {
            return Ok(());
        }
        let all = route::links(&self.socket).doing("can't list links")?;
        for port in all.iter().filter(|link| link.master == Some(bridge.index)) {
            if port.group != self.group {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!(
                        "{} has the port {}, which is not ours to guard",
                        bridge.name, port.name
                    ),
                ));
            }
            self.guard(port)?;
        }
        write_sysctl(
            &format!("net/ipv4/conf/{}/route_localnet", bridge.name),
            "1",
        )
    }

    fn guard(&self, port: &Link) -> Result<()> {
        let failed = || format!("can't guard the link {}", port.name);
        let guard = loopback_guard().doing(failed())?;
        let [hook, program] = route::ingress_program(port.index, guard.as_fd(), "tare_loopback");
        match self.socket.request("hook", vec![hook]) {
            // The hook is there already, and can't be changed.
            Err(error)
                if matches!(
                    error.errno(),
                    Errno::EXIST | Errno::INVAL | Errno::OPNOTSUPP
                ) => {}
            other => other.doing(failed())?,
        }
        self.socket.request("guard", vec![program]).doing(failed())
    }

    /// Makes an endpoint's link, whose rules are there: born in its namespace.
    pub(super) fn make_endpoint(
        &self,
        network: &Network,
        endpoint: &Endpoint,
        base: &Link,
        namespace: BorrowedFd<'_>,
    ) -> Result<()> {
        let mtu = network.options.mtu.unwrap_or(base.mtu);
        let inner = NewLink {
            name: &endpoint.interface,
            mac: (network.driver != Driver::Ipvlan).then_some(endpoint.mac.bytes()),
            mtu: Some(mtu),
            group: 0,
            master: None,
            state: State::Down,
        };
        let failed = format!("can't put the container on network {}", network.name);
        match network.driver {
            Driver::Bridge => {
                self.make_pair(network, &endpoint.host_link(), &inner, (base, namespace))
            }
            Driver::Macvlan => {
                let kind = Sub::Macvlan(match network.options.macvlan {
                    MacvlanMode::Private => 1,
                    MacvlanMode::Vepa => 2,
                    MacvlanMode::Bridge => 4,
                    MacvlanMode::Passthru => 8,
                });
                let message = inner.on(base.index, kind, Some(namespace));
                self.socket.request(inner.name, vec![message]).doing(failed)
            }
            Driver::Ipvlan => {
                let mode = match network.options.ipvlan {
                    IpvlanMode::L2 => 0,
                    IpvlanMode::L3 => 1,
                    IpvlanMode::L3s => 2,
                };
                let flags = match network.options.ipvlan_flag {
                    IpvlanFlag::Bridge => 0,
                    IpvlanFlag::Private => 1,
                    IpvlanFlag::Vepa => 2,
                };
                let message = inner.on(base.index, Sub::Ipvlan(mode, flags), Some(namespace));
                self.socket.request(inner.name, vec![message]).doing(failed)
            }
            Driver::Host | Driver::None => Ok(()),
        }
    }

    fn make_pair(
        &self,
        network: &Network,
        name: &str,
        inner: &NewLink<'_>,
        (bridge, namespace): (&Link, BorrowedFd<'_>),
    ) -> Result<()> {
        let failed = || format!("can't put the container on network {}", network.name);
        let outer = NewLink {
            name,
            mac: None,
            mtu: inner.mtu,
            group: self.group,
            master: Some(bridge.index),
            state: State::Down,
        };
        let made = self
            .socket
            .request(name, vec![outer.veth(inner, Some(namespace))]);
        match made {
            // EXFULL: a bridge has 1,024 ports at most.
            Err(error) if error.errno() == Errno::XFULL => {
                return Err(Error::new(
                    Kind::Full,
                    format!(
                        "network {} is full: a bridge has room for 1,023 containers",
                        network.name
                    ),
                )
                .with_hint("make another network for more containers (tare network create)")
                .with_source(error));
            }
            other => other.doing(failed())?,
        }
        self.raise_port(network, name)
            .inspect_err(|_| drop(self.remove(name)))
    }

    /// Puts a port up; isolates it first where containers may not talk to each other.
    ///
    /// Where `br_netfilter` is on, what a container sends to its own published port comes back to it without leaving the bridge: only there its port must let
    /// that happen.
    pub(super) fn raise_port(&self, network: &Network, name: &str) -> Result<()> {
        let failed = || format!("can't bring up the link {name}");
        let settings = PortSettings {
            isolated: !network.options.icc,
            hairpin: network.options.icc && bridges_are_filtered(),
        };
        if settings != PortSettings::default() {
            let link = self
                .find(name)?
                .ok_or_else(|| Error::new(Kind::NotFound, failed()))?;
            self.socket
                .request(name, vec![route::set_port(link.index, settings)])
                .doing(failed())?;
        }
        let [settings, state] = route::raise(name, LinkLocal::None);
        let messages = if has_ipv6() {
            vec![settings, state]
        } else {
            vec![state]
        };
        self.socket.request(name, messages).doing(failed())
    }

    /// Gives a bridge the host's addresses and puts it up, also if it has been: putting it down has cost it its IPv6 addresses.
    pub(super) fn raise_bridge(&self, network: &Network, bridge: &Link) -> Result<()> {
        self.socket
            .request(&bridge.name, gateways(network, bridge.index))
            .doing(format!("can't bring up {}", bridge.name))
    }
}

/// `br_netfilter`: frames that a bridge passes on go through the rules for IP too. Docker and Kubernetes switch it on.
fn bridges_are_filtered() -> bool {
    ["iptables", "ip6tables"].iter().any(|name| {
        std::fs::read(format!("/proc/sys/net/bridge/bridge-nf-call-{name}"))
            .is_ok_and(|v| v.starts_with(b"1"))
    })
}

/// The name of a network's link on the host.
pub(super) fn base_name(network: &Network) -> String {
    match network.driver {
        Driver::Macvlan | Driver::Ipvlan => {
            let own = || format!("tr-{}", network.id.short());
            network.options.parent.clone().unwrap_or_else(own)
        }
        _ => network.bridge(),
    }
}

/// The other end of the pair that stands for a parent.
pub(super) fn stand_in(network: &Network) -> String {
    format!("tx-{}", network.id.short())
}

fn is_open_to_loopback(bridge: &str) -> bool {
    let path = format!("/proc/sys/net/ipv4/conf/{bridge}/route_localnet");
    std::fs::read(path).is_ok_and(|value| value.starts_with(b"1"))
}

fn gateways(network: &Network, index: u32) -> Vec<kernel::netlink::Message> {
    use crate::options::GatewayMode::Isolated;
    let options = &network.options;
    let wanted = |gateway: &IpAddr| match gateway {
        IpAddr::V4(_) => options.gateway_mode_v4 != Isolated,
        IpAddr::V6(_) => options.gateway_mode_v6 != Isolated,
    };
    let mut messages: Vec<_> = network
        .pools
        .iter()
        .filter_map(|pool| Some((pool.gateway.filter(wanted)?, pool.subnet.prefix())))
        .map(|(gateway, prefix)| route::add_address(index, gateway, prefix))
        .collect();
    messages.push(route::set_state(index, State::Up));
    messages
}

/// Whether the calling thread's namespace has a link of this name.
pub(super) fn is_inside(socket: &Socket, name: &str) -> Result<bool> {
    let link = route::link(socket, name).doing("can't look into the container's network")?;
    Ok(link.is_some())
}

/// Gives an endpoint's link, in whose namespace the calling thread is, its addresses, and puts it up.
pub(super) fn settle(socket: &Socket, network: &Network, endpoint: &Endpoint) -> Result<()> {
    let name = &endpoint.interface;
    let failed = || {
        format!(
            "can't give {name} its addresses on network {}",
            network.name
        )
    };
    let link = route::link(socket, name)
        .doing(failed())?
        .ok_or_else(|| Error::new(Kind::NotFound, failed()))?;
    // IPv6 where the network has none would be a way around its rules (CVE-2024-32473).
    if has_ipv6() {
        let path = format!("net/ipv6/conf/{name}");
        if !network.has(Family::V6) {
            write_sysctl(&format!("{path}/disable_ipv6"), "1")?;
        } else if network.driver == Driver::Bridge {
            // All addresses on a bridge of ours are kept apart, so nobody needs to be asked for a second.
            write_sysctl(&format!("{path}/dad_transmits"), "0")?;
        }
    }
    let mut messages = Vec::new();
    for family in [Family::V4, Family::V6] {
        if let Some((address, prefix)) = endpoint.with_prefix(network, family) {
            messages.push(route::add_address(link.index, address, prefix));
        }
    }
    for address in &endpoint.extra {
        let prefix = if address.is_ipv4() { 16 } else { 64 };
        messages.push(route::add_address(link.index, *address, prefix));
    }
    messages.push(route::set_state(link.index, State::Up));
    socket.request(name, messages).doing(failed())
}

/// Sets the ways out of the calling thread's namespace as its endpoints decide. A family without one keeps none.
pub(super) fn lead_out(socket: &Socket, endpoints: &[(&Network, &Endpoint)]) -> Result<()> {
    let failed = || "can't set the container's default route";
    for (family, none) in [(Family::V4, NoGateway::V4), (Family::V6, NoGateway::V6)] {
        let message = match way_out(endpoints, family) {
            Some((endpoint, gateway)) => {
                let link = route::link(socket, &endpoint.interface)
                    .doing(failed())?
                    .ok_or_else(|| Error::new(Kind::NotFound, failed()))?;
                let flat = endpoints.iter().any(|(network, one)| {
                    *one == endpoint
                        && network.driver == Driver::Ipvlan
                        && network.options.ipvlan != IpvlanMode::L2
                });
                // At layer 3 there is no neighbour to ask for the next hop's address.
                let hop = if flat { Err(none) } else { Ok(gateway) };
                route::default_route(link.index, hop)
            }
            None => route::remove_default_route(none),
        };
        match socket.request("default route", vec![message]) {
            // There was none to remove.
            Err(error)
                if matches!(
                    error.errno(),
                    Errno::SRCH | Errno::NOENT | Errno::AFNOSUPPORT | Errno::OPNOTSUPP
                ) => {}
            other => other.doing(failed())?,
        }
    }
    Ok(())
}
