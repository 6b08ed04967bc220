//! Whether a network can be made here: what only the kernel can say, tried and undone.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use spec::ContainerId;

use super::{Attached, Fabric, new_namespace};
use crate::endpoint::Endpoint;
use crate::error::{Error, Kind, Result};
use crate::network::{Driver, Network};
use crate::subnet::Mac;

impl Fabric {
    /// Finds out whether a network can have links here: for macvlan and ipvlan by making one, in a namespace that ends at once. Nothing stays.
    ///
    /// # Errors
    /// A link of the bridge's name is there and is none; the parent is not there or is used otherwise; this kernel has no such links.
    pub fn rehearse(&self, network: &Network) -> Result<()> {
        if !network.driver.has_links() {
            return Ok(());
        }
        let _lock = self.notes.lock()?;
        let hands = self.hands()?;
        if network.driver == Driver::Bridge {
            return hands.links.base_of(network).map(drop);
        }
        let made = self.ensure(&hands, network, &mut Attached::default())?;
        let tried = hands.links.base_of(network).and_then(|base| {
            let base = base.ok_or_else(|| {
                Error::new(Kind::NotFound, "the parent link is gone while it is tried")
            })?;
            let namespace = new_namespace()?;
            let probe = probe(network);
            hands
                .links
                .make_endpoint(network, &probe, &base, namespace.as_fd())
        });
        if made {
            self.forget_network(&hands, network)?;
        }
        tried.map_err(|error| in_words(network, error))
    }
}

fn probe(network: &Network) -> Endpoint {
    Endpoint {
        network: network.id.clone(),
        container: ContainerId::from_bytes([0; 32]),
        interface: "eth0".to_owned(),
        mac: Mac::new([2, 0x44, 0, 0, 0, 1]),
        v4: None,
        v6: None,
        extra: Vec::new(),
        aliases: Vec::new(),
        gateway_priority: 0,
        driver_opts: BTreeMap::new(),
    }
}

fn in_words(network: &Network, error: Error) -> Error {
    let driver = network.driver.name();
    let parent = network.options.parent.as_deref().unwrap_or("parent");
    match error.kind {
        Kind::Unsupported => Error::new(
            Kind::Unsupported,
            format!("this kernel has no {driver} links, or this process no right to make them"),
        )
        .with_source(error),
        Kind::Conflict => Error::new(
            Kind::Conflict,
            format!("the link {parent} can't carry {driver} links: it carries others already, or is a port of a bridge"),
        )
        .with_source(error),
        _ => error,
    }
}
