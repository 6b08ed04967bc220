//! Everything again, from state: after a flush of rules, after a kill, and at the end.

use std::collections::BTreeSet;

use kernel::netlink::nft::{self, Batch, Family as Table};
use kernel::netlink::route::{self, State};

use super::{Attached, Desired, Fabric, Hands, foreign, links};
use crate::error::{Doing, Result};
use crate::network::{Driver, Network};
use crate::rules::{self, BRIDGE, Elements, INET};

impl Desired {
    fn elements(&self) -> Elements {
        let mut all = Elements::default();
        for network in &self.networks {
            all.join(rules::of_network(network));
        }
        for (network, endpoint) in self.placed() {
            all.join(rules::of_endpoint(network, endpoint));
        }
        for binding in &self.bindings {
            all.join(rules::of_binding(binding));
        }
        all
    }

    fn placed(&self) -> impl Iterator<Item = (&Network, &crate::Endpoint)> {
        self.endpoints.iter().filter_map(|endpoint| {
            let network = self.networks.iter().find(|n| n.id == endpoint.network)?;
            Some((network, endpoint))
        })
    }

    /// The names of all links that should be on the host.
    fn links(&self) -> BTreeSet<String> {
        let bases = self.networks.iter().map(links::base_name);
        let bases = bases.chain(self.networks.iter().map(links::stand_in));
        let ports = self
            .placed()
            .filter(|(network, _)| network.driver == Driver::Bridge);
        bases
            .chain(ports.map(|(_, endpoint)| endpoint.host_link()))
            .collect()
    }
}

/// See [`Fabric::reapply`].
pub(super) fn reapply(fabric: &Fabric, hands: &Hands, desired: &Desired) -> Result<Vec<String>> {
    let mut done = leftovers(fabric, hands, desired)?;
    let has_bridges = desired.networks.iter().any(|n| n.driver == Driver::Bridge);
    if has_bridges {
        if !has_tables(fabric, hands)? {
            done.push("made the rules again".to_owned());
        }
        replace(fabric, hands, desired)?;
    } else {
        fabric.remove_tables(hands)?;
    }
    for network in desired.networks.iter().filter(|n| n.driver.has_links()) {
        if hands.links.base_of(network)?.is_none() {
            fabric.build(hands, network, &mut Attached::default())?;
            done.push(format!("made the link {} again", links::base_name(network)));
        }
    }
    done.extend(ports(hands, desired)?);
    localhost(hands, desired)?;
    let wanted = desired.links();
    for link in hands
        .links
        .ours()?
        .iter()
        .filter(|link| !wanted.contains(&link.name))
    {
        hands.links.remove(&link.name)?;
    }
    if !has_bridges {
        foreign::withdraw(&hands.rules, &fabric.config.tag, None)?;
        fabric.notes.restore()?;
    }
    Ok(done)
}

fn has_tables(fabric: &Fabric, hands: &Hands) -> Result<bool> {
    let table = fabric.table();
    let mut all = true;
    for family in [Table::Inet, Table::Bridge] {
        all &= nft::has_table(&hands.rules, family, &table).doing("can't look for our rules")?;
    }
    Ok(all)
}

/// Both tables in one transaction, old out and new in: no packet sees a host without them.
fn replace(fabric: &Fabric, hands: &Hands, desired: &Desired) -> Result<()> {
    let table = fabric.table();
    let mut batch = Batch::new(Table::Inet, &table);
    for family in [Table::Inet, Table::Bridge] {
        batch.turn_to(family, &table);
        batch.add_table();
        batch.delete_table();
    }
    batch.append(rules::base(&table, fabric.notes.closed()));
    desired.elements().add_to(&mut batch, &table);
    batch
        .commit(&hands.rules)
        .doing("can't make the rules of the network")
}

/// Ports that have lost their bridge, or are down.
fn ports(hands: &Hands, desired: &Desired) -> Result<Vec<String>> {
    let mut done = Vec::new();
    let ours = hands.links.ours()?;
    let named = |name: &str| ours.iter().find(|link| link.name == name);
    for (network, endpoint) in desired.placed().filter(|(n, _)| n.driver == Driver::Bridge) {
        let name = endpoint.host_link();
        let (Some(port), Some(bridge)) = (named(&name), hands.links.base_of(network)?) else {
            continue;
        };
        if port.master != Some(bridge.index) {
            let message = route::set_master(port.index, bridge.index);
            hands
                .links
                .socket
                .request(&name, vec![message])
                .doing("can't put a link on its bridge")?;
            done.push(format!("put the link {name} on {} again", bridge.name));
        } else if port.state == State::Up {
            continue;
        }
        hands.links.raise_port(network, endpoint)?;
    }
    for network in desired
        .networks
        .iter()
        .filter(|n| n.driver == Driver::Bridge)
    {
        // A bridge of the user's own is the user's business.
        if let Some(bridge) = hands.links.base_of(network)?
            && bridge.group == hands.links.group
        {
            hands.links.raise_bridge(network, &bridge)?;
            if bridge.state == State::Down {
                done.push(format!("brought {} up again", bridge.name));
            }
        }
    }
    Ok(done)
}

fn localhost(hands: &Hands, desired: &Desired) -> Result<()> {
    for network in &desired.networks {
        let here = |b: &&crate::Binding| network.pools.iter().any(|p| p.subnet.contains(b.target));
        let bindings = desired.bindings.iter().filter(here);
        if super::published::needs_loopback(bindings)
            && let Some(bridge) = hands.links.base_of(network)?
        {
            hands.links.open_to_loopback(&bridge)?;
        }
    }
    Ok(())
}

/// See [`Fabric::leftovers`].
pub(super) fn leftovers(fabric: &Fabric, hands: &Hands, desired: &Desired) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let wanted = desired.links();
    for link in hands.links.ours()? {
        if !wanted.contains(&link.name) {
            found.push(format!("link {}", link.name));
        }
    }
    let elements = desired.elements();
    let table = fabric.table();
    for (family, sets) in [(Table::Inet, INET), (Table::Bridge, BRIDGE)] {
        for set in sets {
            let there = nft::elements(&hands.rules, family, &table, set.name)
                .doing("can't read our rules")?;
            let wanted: BTreeSet<_> = elements.of(set.name).iter().collect();
            let extra = there.iter().filter(|one| !wanted.contains(one)).count();
            if extra > 0 {
                found.push(format!(
                    "{extra} elements of the set {} of table {table}",
                    set.name
                ));
            }
        }
    }
    Ok(found)
}
