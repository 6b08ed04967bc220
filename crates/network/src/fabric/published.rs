//! Published ports of containers that run already.

use std::net::IpAddr;

use kernel::netlink::conntrack::Flow;

use super::tables::elements_of;
use super::{Fabric, Hands, Warning, foreign};
use crate::error::Result;
use crate::network::Network;
use crate::publish::Binding;

impl Fabric {
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

    pub(super) fn open_one<'a>(
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
}

/// Whether a connection was made to a published port.
pub(super) fn leads_through(binding: &Binding, flow: &Flow) -> bool {
    let to = flow.original;
    let here = binding.host_ip.is_unspecified() || binding.host_ip == to.destination;
    let host = binding.host;
    to.protocol == binding.protocol.number()
        && here
        && (host.first()..=host.last()).contains(&to.port)
}

/// Whether some of these are published where the host's loopback addresses are meant too.
pub(super) fn needs_loopback<'a>(mut bindings: impl Iterator<Item = &'a Binding>) -> bool {
    let loopback = |ip: IpAddr| ip.is_ipv4() && (ip.is_unspecified() || ip.is_loopback());
    bindings.any(|binding| loopback(binding.host_ip))
}
