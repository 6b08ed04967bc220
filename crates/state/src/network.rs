//! Rows of networks, of what containers have on them, and of published ports.

use std::net::IpAddr;

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};
use spec::ContainerId;

use crate::db::Tx;
use crate::error::{Result, parse};

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is, as JSON.
    pub config: String,
    /// Unix nanoseconds.
    pub created_at: i64,
}

/// What a container has on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRow {
    /// The network's id.
    pub network: String,
    /// The container.
    pub container: ContainerId,
    /// Its IPv4 address there.
    pub v4: Option<IpAddr>,
    /// Its IPv6 address there.
    pub v6: Option<IpAddr>,
    /// All about it, as JSON.
    pub config: String,
}

/// Ports of the host that lead to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRow {
    /// The protocol's number in an IP header.
    pub protocol: u8,
    /// The first port of the host.
    pub first: u16,
    /// The last one.
    pub last: u16,
    /// The host's address; the unspecified one for all of its family.
    pub host_ip: IpAddr,
    /// The container.
    pub container: ContainerId,
    /// Its address.
    pub target: IpAddr,
    /// Its first port.
    pub container_first: u16,
}

const NETWORK: &str = "id, name, config, created_at";
const ENDPOINT: &str = "network, container, v4, v6, config";
const PORT: &str = "protocol, first, last, host_ip, container, target, container_first";

fn network(row: &Row<'_>) -> rusqlite::Result<NetworkRow> {
    Ok(NetworkRow {
        id: row.get(0)?,
        name: row.get(1)?,
        config: row.get(2)?,
        created_at: row.get(3)?,
    })
}

fn endpoint(row: &Row<'_>) -> rusqlite::Result<EndpointRow> {
    Ok(EndpointRow {
        network: row.get(0)?,
        container: parse(1, row.get_ref(1)?.as_str()?)?,
        v4: optional_address(row, 2)?,
        v6: optional_address(row, 3)?,
        config: row.get(4)?,
    })
}

fn port(row: &Row<'_>) -> rusqlite::Result<PortRow> {
    Ok(PortRow {
        protocol: row.get(0)?,
        first: row.get(1)?,
        last: row.get(2)?,
        host_ip: address(row, 3)?,
        container: parse(4, row.get_ref(4)?.as_str()?)?,
        target: address(row, 5)?,
        container_first: row.get(6)?,
    })
}

fn optional_address(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<IpAddr>> {
    match row.get_ref(column)?.as_blob_or_null()? {
        None => Ok(None),
        Some(_) => address(row, column).map(Some),
    }
}

fn address(row: &Row<'_>, column: usize) -> rusqlite::Result<IpAddr> {
    let bytes = row.get_ref(column)?.as_blob()?;
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(v4.into());
    }
    match <[u8; 16]>::try_from(bytes) {
        Ok(v6) => Ok(v6.into()),
        Err(error) => Err(rusqlite::Error::FromSqlConversionFailure(
            column,
            Type::Blob,
            Box::new(error),
        )),
    }
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

impl Tx<'_> {
    /// Adds a network.
    ///
    /// # Errors
    /// Its id or name is taken ([`crate::Kind::Exists`]), or the database can't be written.
    pub fn add_network(&self, network: &NetworkRow) -> Result<()> {
        self.inner
            .prepare_cached(&format!(
                "INSERT INTO networks ({NETWORK}) VALUES (?1, ?2, ?3, ?4)"
            ))?
            .execute(params![
                network.id,
                network.name,
                network.config,
                network.created_at
            ])?;
        Ok(())
    }

    /// The network with this name.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn network_named(&self, name: &str) -> Result<Option<NetworkRow>> {
        let mut statement = self
            .inner
            .prepare_cached(&format!("SELECT {NETWORK} FROM networks WHERE name = ?1"))?;
        Ok(statement.query_row([name], network).optional()?)
    }

    /// The networks whose ids begin with `digits`, at most two: enough to tell whether it is one.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn networks_with_id(&self, digits: &str) -> Result<Vec<NetworkRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {NETWORK} FROM networks WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT 2"
        ))?;
        let rows = statement.query_map([digits], network)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// All networks, by name.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn networks(&self) -> Result<Vec<NetworkRow>> {
        let mut statement = self
            .inner
            .prepare_cached(&format!("SELECT {NETWORK} FROM networks ORDER BY name"))?;
        let rows = statement.query_map([], network)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes a network away; whether it was there.
    ///
    /// # Errors
    /// A container is on it ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn remove_network(&self, id: &str) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM networks WHERE id = ?1")?
            .execute([id])?;
        Ok(gone > 0)
    }

    /// Adds what a container has on a network, or replaces it.
    ///
    /// # Errors
    /// Network or container are not there ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn put_endpoint(&self, endpoint: &EndpointRow) -> Result<()> {
        self.inner
            .prepare_cached(&format!(
                "INSERT OR REPLACE INTO endpoints ({ENDPOINT}) VALUES (?1, ?2, ?3, ?4, ?5)"
            ))?
            .execute(params![
                endpoint.network,
                endpoint.container.to_string(),
                endpoint.v4.map(bytes),
                endpoint.v6.map(bytes),
                endpoint.config
            ])?;
        Ok(())
    }

    /// Whether no container has anything on a network.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn is_network_idle(&self, network: &str) -> Result<bool> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM endpoints WHERE network = ?1)")?;
        Ok(statement.query_row([network], |row| row.get(0))?)
    }

    /// The addresses that a network gave out last, IPv4 and IPv6.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn last_given(&self, network: &str) -> Result<(Option<IpAddr>, Option<IpAddr>)> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT last_v4, last_v6 FROM networks WHERE id = ?1")?;
        let found = statement.query_row([network], |row| {
            Ok((optional_address(row, 0)?, optional_address(row, 1)?))
        });
        Ok(found.optional()?.unwrap_or_default())
    }

    /// Says which addresses a network gave out last; none says nothing new.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn note_given(&self, network: &str, v4: Option<IpAddr>, v6: Option<IpAddr>) -> Result<()> {
        self.inner
            .prepare_cached(
                "UPDATE networks SET last_v4 = coalesce(?2, last_v4), last_v6 = coalesce(?3, last_v6) WHERE id = ?1",
            )?
            .execute(params![network, v4.map(bytes), v6.map(bytes)])?;
        Ok(())
    }

    /// What all containers have on a network.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn endpoints_on(&self, network: &str) -> Result<Vec<EndpointRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {ENDPOINT} FROM endpoints WHERE network = ?1 ORDER BY container"
        ))?;
        let rows = statement.query_map([network], endpoint)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The addresses that are taken on a network.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn addresses_on(&self, network: &str) -> Result<Vec<IpAddr>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT v4, v6 FROM endpoints WHERE network = ?1")?;
        let mut rows = statement.query([network])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.extend(optional_address(row, 0)?);
            all.extend(optional_address(row, 1)?);
        }
        Ok(all)
    }

    /// What a container has on all networks.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn endpoints_of(&self, container: &ContainerId) -> Result<Vec<EndpointRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {ENDPOINT} FROM endpoints WHERE container = ?1 ORDER BY network"
        ))?;
        let rows = statement.query_map([container.to_string()], endpoint)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What all containers have on all networks.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn endpoints(&self) -> Result<Vec<EndpointRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {ENDPOINT} FROM endpoints ORDER BY network, container"
        ))?;
        let rows = statement.query_map([], endpoint)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes away what a container has on a network; whether it was there.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remove_endpoint(&self, network: &str, container: &ContainerId) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM endpoints WHERE network = ?1 AND container = ?2")?
            .execute([network, &container.to_string()])?;
        Ok(gone > 0)
    }

    /// Takes away what a container has on all networks.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remove_endpoints_of(&self, container: &ContainerId) -> Result<usize> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM endpoints WHERE container = ?1")?
            .execute([container.to_string()])?;
        Ok(gone)
    }

    /// Lets a container know another by a name of its own, in place of whom it knew by it.
    ///
    /// # Errors
    /// One of them is not there ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn put_link(
        &self,
        container: &ContainerId,
        alias: &str,
        target: &ContainerId,
    ) -> Result<()> {
        self.inner
            .prepare_cached(
                "INSERT OR REPLACE INTO links (container, alias, target) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![container.to_string(), alias, target.to_string()])?;
        Ok(())
    }

    /// Whom a container knows by names of its own, by those names.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn links_of(&self, container: &ContainerId) -> Result<Vec<(String, ContainerId)>> {
        let mut statement = self.inner.prepare_cached(
            "SELECT alias, target FROM links WHERE container = ?1 ORDER BY alias",
        )?;
        let rows = statement.query_map([container.to_string()], |row| {
            Ok((row.get(0)?, parse(1, row.get_ref(1)?.as_str()?)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Who knows a container by a name of his own, and by which.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn links_to(&self, target: &ContainerId) -> Result<Vec<(ContainerId, String)>> {
        let mut statement = self.inner.prepare_cached(
            "SELECT container, alias FROM links WHERE target = ?1 ORDER BY container, alias",
        )?;
        let rows = statement.query_map([target.to_string()], |row| {
            Ok((parse(0, row.get_ref(0)?.as_str()?)?, row.get(1)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes away a name by which a container knows another; whether it was there.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remove_link(&self, container: &ContainerId, alias: &str) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM links WHERE container = ?1 AND alias = ?2")?
            .execute([container.to_string().as_str(), alias])?;
        Ok(gone > 0)
    }

    /// Adds ports that lead to a container.
    ///
    /// # Errors
    /// The first of them leads to another already ([`crate::Kind::Exists`]), or the database can't be written.
    pub fn add_port(&self, port: &PortRow) -> Result<()> {
        self.inner
            .prepare_cached(&format!(
                "INSERT INTO ports ({PORT}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
            ))?
            .execute(params![
                port.protocol,
                port.first,
                port.last,
                bytes(port.host_ip),
                port.container.to_string(),
                bytes(port.target),
                port.container_first
            ])?;
        Ok(())
    }

    /// All ports that lead to containers.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn ports(&self) -> Result<Vec<PortRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {PORT} FROM ports ORDER BY protocol, first, host_ip"
        ))?;
        let rows = statement.query_map([], port)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The ports that lead to a container.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn ports_of(&self, container: &ContainerId) -> Result<Vec<PortRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {PORT} FROM ports WHERE container = ?1 ORDER BY protocol, first, host_ip"
        ))?;
        let rows = statement.query_map([container.to_string()], port)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Those of all ports that have one with `first` to `last` in common: whom a new one may get in the way of. On all addresses.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn ports_between(&self, protocol: u8, first: u16, last: u16) -> Result<Vec<PortRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {PORT} FROM ports WHERE protocol = ?1 AND first <= ?3 AND last >= ?2 ORDER BY first, host_ip"
        ))?;
        let rows = statement.query_map(params![protocol, first, last], port)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes ports away, named by what no two have in common; whether they were there.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remove_port(&self, protocol: u8, first: u16, host_ip: IpAddr) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached(
                "DELETE FROM ports WHERE protocol = ?1 AND first = ?2 AND host_ip = ?3",
            )?
            .execute(params![protocol, first, bytes(host_ip)])?;
        Ok(gone > 0)
    }

    /// Takes all ports of a container away; how many entries there were.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remove_ports_of(&self, container: &ContainerId) -> Result<usize> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM ports WHERE container = ?1")?
            .execute([container.to_string()])?;
        Ok(gone)
    }
}

#[cfg(test)]
mod tests;
