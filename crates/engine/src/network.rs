//! Networks: where containers are reached, and whom they reach.
//!
//! What is wanted is in the database: networks, and a row for each end that a living container has, from before its link is made until after it is gone. What
//! is on the host follows from the rows, and can be made again from them at any time ([`again`]). All changes of these rows are made under one lock
//! ([`Inner::lock_networks`]), which comes after a container's; nothing that waits is done under it.
//!
//! Shape, for who builds on it:
//! - [`lookup`]: networks by name or id, all networks, rows to values and back; `bridge` is made when first asked for, `host` and `none` are always there.
//! - [`request`]: what a container wants of a network, and of which networks (pure).
//! - [`decide`]: addresses, links and ports of a container on its networks (pure).
//! - [`attach`]: a container that starts joins its networks: rows, links and rules, names.
//! - [`live`]: a network more or less for a container, running or not: [`live::connect`], [`live::disconnect`].
//! - [`publish`]: a port more or less for a container, running or not.
//! - [`leave`]: a container that has ended gives everything back. Whoever finds one that has not calls it, at any time.
//! - [`links`]: `--link` of the default network.
//! - [`again`]: everything again from the rows, and nothing where no container needs it.
//! - [`names`]: who is called what; [`view`]: what users see.
//!
//! A network may be removed ([`lookup`] gives its row) while no row of an end refers to it, under the same lock; what it has on the host goes by
//! [`again::sweep`].

pub(crate) mod again;
pub(crate) mod attach;
mod create;
pub(crate) mod decide;
mod event;
mod filter;
pub(crate) mod leave;
pub(crate) mod links;
pub(crate) mod live;
pub(crate) mod lookup;
pub(crate) mod names;
pub(crate) mod ports;
pub(crate) mod publish;
mod remove;
pub(crate) mod request;
pub(crate) mod view;

use std::path::PathBuf;
use std::time::Duration;

use ::network::Fabric;
use spec::ContainerId;
use state::{LockKind, ObjectLock};

pub use ::network::Protocol;
pub use ::network::{Driver, Endpoint, Family, Mac, Network, NetworkId, Options, Pool, Subnet};
pub use create::{MadeNetwork, NetworkRequest, PoolRequest};
pub use filter::{NetworkFilters, Origin};
pub use publish::{PortRequest, Republished};
pub use remove::PruneNetworks;
pub use request::EndpointRequest;
pub use view::{End, NetworkView, Placed, PublishedPort};

use crate::error::{Error, Kind, Result};
use crate::open::{Engine, Inner};

/// The name of the default network.
pub const DEFAULT: &str = "bridge";

/// How long the lock of all networks is waited for: longer than hundreds of containers that start at once hold it.
const PATIENCE: Duration = Duration::from_secs(30);

impl Inner {
    /// Only its holder changes rows of networks, ends and ports.
    pub(crate) fn lock_networks(&self) -> Result<ObjectLock> {
        Ok(self.locks.lock(LockKind::Network, "all", PATIENCE)?)
    }

    /// The hands that change the host's network.
    pub(crate) fn fabric(&self) -> Fabric {
        Fabric::new(::network::fabric::Config {
            run: self.config.paths.run.clone(),
            tag: self.tag(),
        })
    }

    /// Tells the engines of one host apart: nothing for that of the usual directories.
    fn tag(&self) -> String {
        let root = &self.config.paths.root;
        if root.as_os_str() == "/var/lib/tare" {
            return String::new();
        }
        let digest = spec::Digest::of(root.as_os_str().as_encoded_bytes()).hex();
        digest.chars().take(8).collect()
    }

    /// The directory of a network's names.
    pub(crate) fn names_dir(&self, network: &NetworkId) -> PathBuf {
        self.config.paths.run.join("names").join(network.as_str())
    }
}

/// What can be done with networks. A network is named by its name, its id or the start of its id.
#[derive(Debug, Clone)]
pub struct Networks {
    engine: Engine,
}

impl Engine {
    /// What can be done with networks.
    #[must_use]
    pub fn networks(&self) -> Networks {
        Networks {
            engine: self.clone(),
        }
    }
}

impl Networks {
    /// A network and who is on it.
    ///
    /// # Errors
    /// There is no such network.
    pub async fn inspect(&self, name: &str) -> Result<NetworkView> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| view::network(&engine.0, &name))
            .await
    }

    /// Puts a container on one more network.
    ///
    /// # Errors
    /// There is no such network or container, it is on it already, or what is asked for can't be had.
    pub async fn connect(
        &self,
        network: &str,
        container: &str,
        request: EndpointRequest,
    ) -> Result<()> {
        let (network, container) = (network.to_owned(), container.to_owned());
        self.engine
            .step(move |engine| live::connect(&engine.0, &container, &network, request))
            .await
    }

    /// Takes a container off a network.
    ///
    /// # Errors
    /// There is no such network or container, or it is not on it.
    pub async fn disconnect(&self, network: &str, container: &str) -> Result<()> {
        let (network, container) = (network.to_owned(), container.to_owned());
        self.engine
            .step(move |engine| live::disconnect(&engine.0, &container, &network))
            .await
    }
}

impl From<::network::Error> for Error {
    fn from(error: ::network::Error) -> Self {
        let kind = match error.kind {
            ::network::Kind::Invalid => Kind::InvalidParameter,
            ::network::Kind::Conflict => Kind::Conflict,
            ::network::Kind::NotFound => Kind::NotFound,
            ::network::Kind::Unsupported => Kind::Unsupported,
            _ => Kind::Internal,
        };
        let mut own = Self::new(kind, error.message.clone());
        own.hint.clone_from(&error.hint);
        match std::error::Error::source(&error) {
            Some(_) => own.because_of(&error),
            None => own,
        }
    }
}

/// The id of a container's end of a network: the same for the same two.
pub(crate) fn end_id(network: &NetworkId, container: &ContainerId) -> String {
    spec::Digest::of(format!("{network}/{container}").as_bytes()).hex()
}
