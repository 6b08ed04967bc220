//! The client of registries.
//!
//! [`Client`] has the rules of this machine; [`Client::repository`] opens one repository with the credentials of one user. All that
//! comes is checked: documents against their digest here, blobs by whoever takes their bytes.

mod blob;
mod listing;
mod login;
mod manifest;
mod remote;
mod retry;
mod search;
mod token;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use spec::Reference;

use crate::credential::Credentials;
use crate::error::{Error, Kind, Result};
use crate::host::Rules;
use crate::lookup::Lookup;
use crate::proxy::Proxies;
use remote::Remote;

pub use blob::{Download, Progress, Target};
pub use login::LoggedIn;
pub use manifest::Fetched;
pub use search::{Found, SearchQuery};
pub use upload::{Mounts, Pushed, Source, Uploads};

/// How long to wait, and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the next bytes.
    pub idle: Duration,
    /// Attempts without progress.
    pub attempts: u32,
    /// The first pause between two of them; the next are longer.
    pub pause: Duration,
    /// The longest pause, whatever the other side asks for.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            attempts: 6,
            pause: Duration::from_millis(300),
            longest: Duration::from_secs(30),
        }
    }
}

/// What the client needs to know of this machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where registries are and whom to trust.
    pub rules: Rules,
    /// Proxies.
    pub proxies: Proxies,
    /// How names become addresses.
    pub lookup: Lookup,
    /// The authorities that this machine trusts, as one PEM file; none for the system's usual place.
    pub authorities: Option<PathBuf>,
    /// Hosts of token servers that may learn credentials although they are in another domain than the registry.
    pub trusted_realms: Vec<String>,
    /// Where the public registry is searched: `https://index.docker.io`.
    pub search: String,
    /// How this program calls itself.
    pub user_agent: String,
    /// How long to wait.
    pub patience: Patience,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            proxies: Proxies::default(),
            lookup: Lookup::default(),
            authorities: None,
            trusted_realms: Vec::new(),
            search: "https://index.docker.io".to_owned(),
            user_agent: concat!("tare/", env!("CARGO_PKG_VERSION")).to_owned(),
            patience: Patience::default(),
        }
    }
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client(Arc<Settings>);

/// What is to be done in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read it.
    Pull,
    /// To write into it.
    Push,
    /// To take something out of it.
    Delete,
}

impl Access {
    const fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
            Self::Delete => "pull,push,delete",
        }
    }
}

/// One repository of a registry, reached with one user's credentials.
#[derive(Debug, Clone)]
pub struct Repository {
    settings: Arc<Settings>,
    name: String,
    domain: String,
    /// In the order in which they are tried.
    remotes: Arc<[Remote]>,
}

impl Client {
    /// A client with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0
    }

    /// Opens a repository. Nothing is sent yet.
    ///
    /// # Errors
    /// A file of trust or of hosts makes no sense, or no host may be asked for this.
    pub fn repository(
        &self,
        reference: &Reference,
        credentials: &Credentials,
        access: Access,
    ) -> Result<Repository> {
        let hosts = self.0.rules.hosts(reference.domain())?;
        let able = hosts.into_iter().filter(|host| match access {
            Access::Pull => host.capabilities.pull || host.capabilities.resolve,
            Access::Push | Access::Delete => host.capabilities.push,
        });
        let scope = format!("repository:{}:{}", reference.path(), access.actions());
        let mut remotes = Vec::new();
        for host in able {
            // Who stands in for a registry has credentials of its own, or none (security.md, E9).
            let credentials = if host.origin {
                credentials.clone()
            } else {
                Credentials::Anonymous
            };
            remotes.push(Remote::new(&self.0, host, credentials, scope.clone())?);
        }
        if remotes.is_empty() {
            return Err(Error::new(
                Kind::Forbidden,
                "open",
                reference.familiar_name(),
                "no host of this registry may be asked for this",
            ));
        }
        Ok(Repository {
            settings: Arc::clone(&self.0),
            name: reference.path().to_owned(),
            domain: reference.domain().to_owned(),
            remotes: remotes.into(),
        })
    }
}

impl Repository {
    /// Its name in its registry: `library/busybox`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The registry's domain: `docker.io`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The one that is written to and that lists: the registry itself.
    fn main(&self) -> &Remote {
        let origin = self.remotes.iter().find(|remote| remote.is_origin());
        origin.unwrap_or_else(|| &self.remotes[self.remotes.len() - 1])
    }

    /// The hosts for blobs and manifests, in order.
    fn readers(&self, tag: bool) -> impl Iterator<Item = &Remote> {
        self.remotes.iter().filter(move |remote| {
            let can = remote.capabilities();
            if tag { can.resolve } else { can.pull }
        })
    }
}
