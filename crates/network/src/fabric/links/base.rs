//! A network's link on the host: a bridge, or the parent of its containers' links.

use std::net::IpAddr;

use kernel::netlink::route::{self, Link, LinkLocal, NewLink, State, Sub};

use super::{Links, base_name, stand_in};
use crate::error::{Doing, Error, Kind, Result};
use crate::fabric::host::{has_ipv6, write_sysctl};
use crate::network::{Driver, Network};
use crate::rules;
use crate::subnet::Family;

/// What links have when neither the network nor the way out says otherwise.
const MTU: u32 = 1500;

impl Links {
    /// Makes the network's link on the host; it is not there yet, and its rules are.
    pub(in crate::fabric) fn make_base(
        &self,
        network: &Network,
        egress_mtu: Option<u32>,
    ) -> Result<()> {
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

    /// Gives a bridge the host's addresses and puts it up, also if it has been: putting it down has cost it its IPv6 addresses.
    pub(in crate::fabric) fn raise_bridge(&self, network: &Network, bridge: &Link) -> Result<()> {
        self.socket
            .request(&bridge.name, gateways(network, bridge.index))
            .doing(format!("can't bring up {}", bridge.name))
    }
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
