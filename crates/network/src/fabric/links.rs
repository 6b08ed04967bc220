//! Links: what networks have on the host, and what containers hang on it.

mod base;
mod inside;
mod port;

use kernel::Errno;
use kernel::netlink::route::{self, Link};
use kernel::netlink::{Socket, Topic};

use crate::error::{Doing, Error, Result};
use crate::network::{Driver, Network};

pub(super) use inside::{is_inside, lead_out, new_namespace, settle, within};

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
