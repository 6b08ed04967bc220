//! A network's part on the host: its bridge or parent link, with its rules.

use kernel::netlink::nft::{self, Family as Table};
use kernel::netlink::route::{self, Link};

use super::survey::egress;
use super::{Fabric, Hands, Warning, foreign, host, links};
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
    pub fn ensure_network(&self, network: &Network) -> Result<Vec<Warning>> {
        let _lock = self.notes.lock()?;
        let hands = self.hands()?;
        self.ensure(&hands, network)
    }

    pub(super) fn ensure(&self, hands: &Hands, network: &Network) -> Result<Vec<Warning>> {
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
    pub(super) fn build(&self, hands: &Hands, network: &Network) -> Result<Vec<Warning>> {
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
}
