//! Which networks to list.

use ::network::Network;

use super::create::is_predefined;
use super::{Networks, lookup};
use crate::container::list::labelled;
use crate::error::Result;
use crate::open::Inner;

/// Which networks to list. Of each list that is not empty one must match, of labels all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkFilters {
    /// Part of the name.
    pub name: Vec<String>,
    /// Part of the id.
    pub id: Vec<String>,
    /// The driver.
    pub driver: Vec<String>,
    /// `local` is the scope of all.
    pub scope: Vec<String>,
    /// `key` or `key=value`.
    pub label: Vec<String>,
    /// Whether users have made it, or every host has it.
    pub origin: Vec<Origin>,
    /// Whether no container is on it.
    pub dangling: Option<bool>,
}

/// Where a network comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A user has made it.
    Custom,
    /// It is always there.
    Builtin,
}

impl Networks {
    /// The networks that match, by name: those that were made, the default one, and those that every host has.
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn list(&self, filters: NetworkFilters) -> Result<Vec<Network>> {
        self.engine
            .step(move |engine| list(&engine.0, &filters))
            .await
    }
}

fn list(inner: &Inner, filters: &NetworkFilters) -> Result<Vec<Network>> {
    lookup::default(inner)?;
    let mut all = lookup::made(inner)?;
    all.extend(lookup::always());
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all.retain(|network| admits(filters, network));
    if let Some(wanted) = filters.dangling {
        let mut kept = Vec::new();
        for network in all {
            // Those that every host has are always in use.
            let idle = !is_predefined(&network.name)
                && inner
                    .db
                    .read(|tx| tx.is_network_idle(network.id.as_str()))?;
            if idle == wanted {
                kept.push(network);
            }
        }
        all = kept;
    }
    Ok(all)
}

/// By what a network says of itself. Pure.
fn admits(filters: &NetworkFilters, network: &Network) -> bool {
    let any = |terms: &[String], test: &dyn Fn(&str) -> bool| {
        terms.is_empty() || terms.iter().any(|term| test(term))
    };
    let origin = if is_predefined(&network.name) {
        Origin::Builtin
    } else {
        Origin::Custom
    };
    any(&filters.name, &|term| network.name.contains(term))
        && any(&filters.id, &|term| network.id.as_str().contains(term))
        && any(&filters.driver, &|term| network.driver.name() == term)
        && any(&filters.scope, &|term| term == "local")
        && filters
            .label
            .iter()
            .all(|term| labelled(&network.labels, term))
        && (filters.origin.is_empty() || filters.origin.contains(&origin))
}
