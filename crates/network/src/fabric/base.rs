//! A network's part on the host: its bridge or parent link, with its rules.

use kernel::netlink::nft::{self, Family as Table};
use kernel::netlink::route;

use super::survey::egress;
use super::{Attached, Fabric, Hands, Warning, foreign, host, links};
use crate::error::{Doing, Result};
use crate::network::{Driver, Network};
use crate::rules;
use crate::subnet::Family;

impl Fabric {
    /// Makes the network's part on the host: for a bridge network, the bridge, its addresses and sysctls, and its rules, rules first. Does nothing if all is there. [`Fabric::attach`]
    /// calls it; by itself it is for `network create`, to find out what is wrong early.
    ///
    /// `ip_forward` is switched on when it is off and the network leads out; then what is not ours is kept from being forwarded, as Docker does, and a warning
    /// says so. It is switched off again by whoever removes the last network.
    ///
    /// # Errors
    /// A link of that name is there and is not ours; the parent interface of a macvlan does not exist; the kernel can't do it.
    pub fn ensure_network(&self, network: &Network) -> Result<Attached> {
        let _lock = self.notes.lock()?;
        let mut attached = Attached::default();
        self.ensure(&self.hands()?, network, &mut attached)?;
        Ok(attached)
    }

    /// Whether it had to make something.
    pub(super) fn ensure(
        &self,
        hands: &Hands,
        network: &Network,
        attached: &mut Attached,
    ) -> Result<bool> {
        if !network.driver.has_links() {
            return Ok(false);
        }
        match hands.links.base_of(network)? {
            None => self.build(hands, network, attached).map(|()| true),
            Some(bridge)
                if network.driver == Driver::Bridge && bridge.group != hands.links.group =>
            {
                self.adopt(hands, network, attached).map(|()| false)
            }
            Some(_) => Ok(false),
        }
    }

    /// Makes what is not there.
    pub(super) fn build(
        &self,
        hands: &Hands,
        network: &Network,
        attached: &mut Attached,
    ) -> Result<()> {
        if network.driver == Driver::Bridge {
            self.rule(hands, network, attached)?;
        }
        let mtu = egress(&hands.links.socket)?.map(|egress| egress.mtu);
        let made = hands.links.make_base(network, mtu);
        made.inspect_err(|_| drop(self.forget_network(hands, network)))
    }

    /// Takes a bridge of the user's own, which was there before its rules. Its addresses are the user's business.
    fn adopt(&self, hands: &Hands, network: &Network, attached: &mut Attached) -> Result<()> {
        self.rule(hands, network, attached)?;
        let addresses = route::addresses(&hands.links.socket);
        let addresses = addresses.doing("can't list the host's addresses")?;
        for gateway in network.pools.iter().filter_map(|pool| pool.gateway) {
            if !network.internal && !addresses.iter().any(|one| one.address == gateway) {
                attached.warnings.push(Warning {
                    message: format!(
                        "the bridge {} does not have the address {gateway}: nothing leads out of network {}",
                        network.bridge(),
                        network.name
                    ),
                    hint: Some(format!("ip address add {gateway} dev {}", network.bridge())),
                });
            }
        }
        Ok(())
    }

    /// The rules of a bridge, and the switch without which nothing leads out.
    fn rule(&self, hands: &Hands, network: &Network, attached: &mut Attached) -> Result<()> {
        let gone = self.put_rules(hands, &[], &rules::of_network(network))?;
        // For the first network there were none to lose.
        attached.rules_were_gone |= gone && !hands.links.ours()?.is_empty();
        if !network.internal {
            let v6 = network.has(Family::V6) && host::has_ipv6();
            let switched = self.notes.forward(v6, |closed| self.close(hands, closed))?;
            attached.warnings.extend(switched);
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
    /// The links of a bridge's containers are seen here; those of macvlan and ipvlan are in their containers' namespaces, and end with their parent: only for
    /// them `is_used` is asked, under the lock of the rules, whether a container lives there.
    ///
    /// # Errors
    /// The kernel refused, or `is_used` failed.
    pub fn release_network(
        &self,
        network: &Network,
        is_used: impl FnOnce() -> Result<bool>,
    ) -> Result<bool> {
        let _lock = self.notes.lock()?;
        let hands = self.hands()?;
        let used = match (network.driver, hands.links.base_of(network)?) {
            (Driver::Bridge, Some(bridge)) => {
                let links = route::links(&hands.links.socket).doing("can't list links")?;
                links.iter().any(|link| {
                    link.master == Some(bridge.index) && link.group == hands.links.group
                })
            }
            (Driver::Macvlan | Driver::Ipvlan, Some(_)) => is_used()?,
            // Somebody has removed it, but not its rules.
            (Driver::Bridge, None) => false,
            _ => return Ok(true),
        };
        if !used {
            self.forget_network(&hands, network)?;
        }
        Ok(!used)
    }

    pub(super) fn forget_network(&self, hands: &Hands, network: &Network) -> Result<()> {
        let name = links::base_name(network);
        let ours = hands
            .links
            .find(&name)?
            .filter(|link| link.group == hands.links.group);
        if let Some(base) = ours {
            // Those of containers that have just ended go with their namespaces, some milliseconds later; without a bridge they would be nobody's.
            let links = route::links(&hands.links.socket).doing("can't list links")?;
            for port in links.iter().filter(|l| l.master == Some(base.index)) {
                hands.links.remove(&port.name)?;
            }
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
}
