//! Our tables on the host: elements in and out, and the end of them.

use kernel::Errno;
use kernel::netlink::nft::{self, Batch, Family as Table};

use super::{Fabric, Hands};
use crate::endpoint::Endpoint;
use crate::error::{Doing, Result};
use crate::network::Network;
use crate::publish::Binding;
use crate::rules::{self, Elements};

impl Fabric {
    /// Keeps what is not ours from being forwarded: the rules that say so are put at the end of the chain.
    pub(super) fn close(&self, hands: &Hands, closed: rules::Closed) -> Result<()> {
        let mut batch = Batch::new(Table::Inet, &self.table());
        rules::close(&mut batch, closed);
        batch
            .commit(&hands.rules)
            .doing("can't keep the host from forwarding for others")
    }

    /// Puts elements into the tables, which are made if they are not there, then with what `networks` need. Whether they were not there.
    pub(super) fn put_rules(
        &self,
        hands: &Hands,
        networks: &[&Network],
        elements: &Elements,
    ) -> Result<bool> {
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
    pub(super) fn take_rules(&self, hands: &Hands, elements: &Elements) -> Result<()> {
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

    pub(super) fn remove_tables(&self, hands: &Hands) -> Result<()> {
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
}

pub(super) fn elements_of(endpoints: &[(&Network, &Endpoint)], bindings: &[Binding]) -> Elements {
    let mut all = Elements::default();
    for (network, endpoint) in endpoints {
        all.join(rules::of_endpoint(network, endpoint));
    }
    for binding in bindings {
        all.join(rules::of_binding(binding));
    }
    all
}
