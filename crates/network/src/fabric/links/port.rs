//! What containers hang on a network's link: pairs whose ports are guarded, macvlan and ipvlan links; all born in their namespaces.

use std::os::fd::{AsFd, BorrowedFd};

use kernel::Errno;
use kernel::netlink::loopback_guard;
use kernel::netlink::route::{self, Link, LinkLocal, NewLink, PortSettings, State, Sub};

use super::Links;
use crate::endpoint::Endpoint;
use crate::error::{Doing, Error, Kind, Result};
use crate::fabric::host::{has_ipv6, write_sysctl};
use crate::network::{Driver, Network};
use crate::options::{IpvlanFlag, IpvlanMode, MacvlanMode};

impl Links {
    /// Lets the host's loopback addresses reach the bridge's containers, which ports published there need: first each port's guard, which keeps containers from
    /// reaching what listens on them (CVE-2020-8558) and which no flush of rules removes, then the switch. Without guards the switch stays off.
    ///
    /// The guards are at the ports: where `br_netfilter` is on, answers carry their translated destination, 127.0.0.1, when they come up at the bridge.
    pub(in crate::fabric) fn open_to_loopback(&self, bridge: &Link) -> Result<()> {
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
    pub(in crate::fabric) fn make_endpoint(
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
            Driver::Bridge => self.make_pair(network, endpoint, &inner, (base, namespace)),
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
        endpoint: &Endpoint,
        inner: &NewLink<'_>,
        (bridge, namespace): (&Link, BorrowedFd<'_>),
    ) -> Result<()> {
        let failed = || format!("can't put the container on network {}", network.name);
        let name = endpoint.host_link();
        let outer = NewLink {
            name: &name,
            mac: None,
            mtu: inner.mtu,
            group: self.group,
            master: Some(bridge.index),
            state: State::Down,
        };
        let make = || {
            let message = outer.veth(inner, Some(namespace));
            self.socket.request(&name, vec![message])
        };
        let mut made = make();
        if let Err(error) = &made
            && error.errno() == Errno::EXIST
            && self.find(&name)?.is_some_and(|old| old.group == self.group)
        {
            // Of the container's last life: the kernel takes it with its namespace, in its own time.
            self.remove(&name)?;
            made = make();
        }
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
        self.raise_port(network, endpoint)
            .inspect_err(|_| drop(self.remove(&name)))
    }

    /// Puts a port up. Before that it is isolated where containers may not talk to each other, guarded where the host's loopback addresses are routed, and its
    /// container's Ethernet address is nailed to it: frames that a bridge keeps for itself (LLDP) are learned from before any rule sees them, and would lead
    /// what is meant for one container to another.
    ///
    /// Where `br_netfilter` is on, what a container sends to its own published port comes back to it without leaving the bridge: only there its port must let
    /// that happen.
    pub(in crate::fabric) fn raise_port(
        &self,
        network: &Network,
        endpoint: &Endpoint,
    ) -> Result<()> {
        let name = endpoint.host_link();
        let failed = || format!("can't bring up the link {name}");
        let settings = PortSettings {
            isolated: !network.options.icc,
            hairpin: network.options.icc && bridges_are_filtered(),
        };
        let link = self
            .find(&name)?
            .ok_or_else(|| Error::new(Kind::NotFound, failed()))?;
        if is_open_to_loopback(&network.bridge()) {
            self.guard(&link)?;
        }
        let mut messages = Vec::new();
        if settings != PortSettings::default() {
            messages.push(route::set_port(link.index, settings));
        }
        messages.push(route::nail_station(link.index, endpoint.mac.bytes()));
        let [settings, state] = route::raise(&name, LinkLocal::None);
        if has_ipv6() {
            messages.push(settings);
        }
        messages.push(state);
        self.socket.request(&name, messages).doing(failed())
    }
}

/// `br_netfilter`: frames that a bridge passes on go through the rules for IP too. Docker and Kubernetes switch it on.
fn bridges_are_filtered() -> bool {
    ["iptables", "ip6tables"].iter().any(|name| {
        std::fs::read(format!("/proc/sys/net/bridge/bridge-nf-call-{name}"))
            .is_ok_and(|v| v.starts_with(b"1"))
    })
}

fn is_open_to_loopback(bridge: &str) -> bool {
    let path = format!("/proc/sys/net/ipv4/conf/{bridge}/route_localnet");
    std::fs::read(path).is_ok_and(|value| value.starts_with(b"1"))
}
