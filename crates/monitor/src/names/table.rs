//! Whom the container knows.

use std::os::fd::OwnedFd;

use protocol::names::{Directory, Owner, Resolution, Scope, Server, Stamp};

use super::answer::{Asked, Found};

#[cfg(test)]
mod tests;

/// What the engine wrote for this container, read again when it was replaced.
#[derive(Debug)]
pub(super) struct Table {
    run_dir: OwnedFd,
    stamp: Option<Stamp>,
    resolution: Resolution,
    /// In the order of the resolution's scopes; none where it can't be opened.
    directories: Vec<Option<Directory>>,
}

impl Table {
    pub(super) fn new(run_dir: OwnedFd) -> Self {
        Self {
            run_dir,
            stamp: None,
            resolution: Resolution::default(),
            directories: Vec::new(),
        }
    }

    /// Whether the engine has written it.
    pub(super) fn is_there(&self) -> bool {
        Resolution::stamp(&self.run_dir).is_ok_and(|stamp| stamp.is_some())
    }

    /// Who is asked about what isn't known here.
    pub(super) fn servers(&self) -> &[Server] {
        &self.resolution.servers
    }

    pub(super) fn look_up(&mut self, asked: &Asked) -> Found {
        if self.refresh().is_err() {
            return Found::Failure;
        }
        let found = match asked {
            Asked::Other => Ok(None),
            Asked::Address(address) => self.name_of(*address).map(|name| name.map(Found::Name)),
            Asked::Name(name) => self.addresses(name),
        };
        match found {
            Ok(found) => found.unwrap_or(Found::Nothing),
            Err(_) => Found::Failure,
        }
    }

    fn refresh(&mut self) -> protocol::Result<()> {
        let stamp = Resolution::stamp(&self.run_dir)?;
        if stamp.is_some() && stamp == self.stamp {
            return Ok(());
        }
        // Without its file nothing is known, and nobody asked: a container never says more for a file that was lost.
        (self.stamp, self.resolution) = match stamp {
            Some(_) => (stamp, Resolution::read(&self.run_dir)?),
            None => (None, Resolution::default()),
        };
        let open = |scope: &Scope| Directory::open(&self.run_dir, &scope.directory).ok();
        self.directories = self.resolution.scopes.iter().map(open).collect();
        Ok(())
    }

    fn scopes(&self) -> impl Iterator<Item = (&Scope, &Directory)> {
        let scopes = self.resolution.scopes.iter().zip(&self.directories);
        scopes.filter_map(|(scope, directory)| Some((scope, directory.as_ref()?)))
    }

    fn addresses(&self, name: &str) -> protocol::Result<Option<Found>> {
        if let Some(addresses) = self.resolution.hosts.get(name) {
            return Ok(Some(Found::Addresses(addresses.clone())));
        }
        for (scope, directory) in self.scopes() {
            let name = scope.links.get(name).map_or(name, String::as_str);
            if let Some(found) = addresses(&directory.owners(name)?) {
                return Ok(Some(found));
            }
        }
        // A container may be meant in one network: `web.backend`.
        for (scope, directory) in self.scopes() {
            let network = scope.network.to_ascii_lowercase();
            let name = name
                .strip_suffix(&network)
                .and_then(|name| name.strip_suffix('.'));
            let Some(name) = name.filter(|name| !name.is_empty()) else {
                continue;
            };
            let name = scope.links.get(name).map_or(name, String::as_str);
            if let Some(found) = addresses(&directory.owners(name)?) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn name_of(&self, address: std::net::IpAddr) -> protocol::Result<Option<String>> {
        for (scope, directory) in self.scopes() {
            if let Some(name) = directory.name_of(address)? {
                return Ok(Some(format!("{name}.{}", scope.network)));
            }
        }
        let hosts = &self.resolution.hosts;
        let host = hosts
            .iter()
            .find(|(_, addresses)| addresses.contains(&address));
        Ok(host.map(|(name, _)| name.clone()))
    }
}

fn addresses(owners: &[Owner]) -> Option<Found> {
    let addresses: Vec<_> = owners.iter().flat_map(Owner::addresses).collect();
    (!addresses.is_empty()).then_some(Found::Addresses(addresses))
}
