//! What a network's driver is told with `-o`, understood.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::network::Driver;

/// How a macvlan link reaches its siblings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MacvlanMode {
    /// Directly.
    #[default]
    Bridge,
    /// Not at all.
    Private,
    /// Through the switch outside.
    Vepa,
    /// There are none: the one link takes the parent over.
    Passthru,
}

/// At which layer an ipvlan switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanMode {
    /// By Ethernet address.
    #[default]
    L2,
    /// By IP address, without broadcast.
    L3,
    /// As `l3`, through the host's connection tracking.
    L3s,
}

/// How an ipvlan link reaches its siblings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanFlag {
    /// Directly.
    #[default]
    Bridge,
    /// Not at all.
    Private,
    /// Through the switch outside.
    Vepa,
}

/// How the world reaches the addresses of a bridge's containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayMode {
    /// By published ports of the host; what leaves has the host's address.
    #[default]
    Nat,
    /// As `nat`, and the world that has a route may also reach every port directly.
    NatUnprotected,
    /// By their own addresses, at published ports only.
    Routed,
    /// Not at all; the host has no address on the bridge.
    Isolated,
}

/// What a driver can be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The bridge's name.
    pub bridge: Option<String>,
    /// Whether its containers may talk to each other (`enable_icc`).
    pub icc: bool,
    /// Whether what leaves gets the host's address (`enable_ip_masquerade`).
    pub masquerade: bool,
    /// The address that what leaves gets, in place of the egress link's own (`host_ipv4`, `host_ipv6`).
    pub source_v4: Option<Ipv4Addr>,
    /// See [`Options::source_v4`].
    pub source_v6: Option<Ipv6Addr>,
    /// Where ports are published that name no host address (`host_binding_ipv4`).
    pub host_binding: Option<IpAddr>,
    /// The links' MTU; by default the egress link's.
    pub mtu: Option<u32>,
    /// What the containers' interfaces are called before their number; `eth` by default.
    pub interface_prefix: Option<String>,
    /// How IPv4 is reached.
    pub gateway_mode_v4: GatewayMode,
    /// How IPv6 is reached.
    pub gateway_mode_v6: GatewayMode,
    /// Host interfaces from which the containers' own addresses may be used directly.
    pub trusted_interfaces: Vec<String>,
    /// macvlan and ipvlan: the host's interface, perhaps `NAME.VLAN`.
    pub parent: Option<String>,
    /// macvlan.
    pub macvlan: MacvlanMode,
    /// ipvlan.
    pub ipvlan: IpvlanMode,
    /// ipvlan.
    pub ipvlan_flag: IpvlanFlag,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bridge: None,
            icc: true,
            masquerade: true,
            source_v4: None,
            source_v6: None,
            host_binding: None,
            mtu: None,
            interface_prefix: None,
            gateway_mode_v4: GatewayMode::default(),
            gateway_mode_v6: GatewayMode::default(),
            trusted_interfaces: Vec::new(),
            parent: None,
            macvlan: MacvlanMode::default(),
            ipvlan: IpvlanMode::default(),
            ipvlan_flag: IpvlanFlag::default(),
        }
    }
}

impl Options {
    /// Understands the options of a driver, by Docker's names for them.
    ///
    /// # Errors
    /// A value that is none, or a name that this driver has no use for: what would be ignored in silence is refused.
    pub fn parse(driver: Driver, raw: &BTreeMap<String, String>) -> Result<Self> {
        let mut options = Self::default();
        for (name, value) in raw {
            options.set(driver, name, value)?;
        }
        if driver == Driver::Macvlan
            && options.macvlan == MacvlanMode::Passthru
            && options.parent.is_none()
        {
            return Err(Error::invalid("macvlan passthru needs -o parent=INTERFACE"));
        }
        Ok(options)
    }

    fn set(&mut self, driver: Driver, name: &str, value: &str) -> Result<()> {
        match (driver, name) {
            (_, "com.docker.network.driver.mtu" | "mtu") => self.mtu = Some(mtu(name, value)?),
            (_, "com.docker.network.container_iface_prefix") => {
                self.interface_prefix = Some(interface(name, value, 12)?);
            }
            (Driver::Bridge, _) => self.set_bridge(name, value)?,
            (Driver::Macvlan | Driver::Ipvlan, "parent") => {
                self.parent = Some(interface(name, value, 15)?);
            }
            (Driver::Macvlan, "macvlan_mode") => self.macvlan = choose(name, value)?,
            (Driver::Ipvlan, "ipvlan_mode") => self.ipvlan = choose(name, value)?,
            (Driver::Ipvlan, "ipvlan_flag") => self.ipvlan_flag = choose(name, value)?,
            _ => return Err(unknown(driver, name)),
        }
        Ok(())
    }

    fn set_bridge(&mut self, name: &str, value: &str) -> Result<()> {
        let short = name.strip_prefix("com.docker.network.").unwrap_or(name);
        match short {
            "bridge.name" => self.bridge = Some(interface(name, value, 15)?),
            "bridge.enable_icc" => self.icc = truth(name, value)?,
            "bridge.enable_ip_masquerade" => self.masquerade = truth(name, value)?,
            "bridge.host_binding_ipv4" => self.host_binding = Some(parsed(name, value)?),
            "bridge.gateway_mode_ipv4" => self.gateway_mode_v4 = choose(name, value)?,
            "bridge.gateway_mode_ipv6" => self.gateway_mode_v6 = choose(name, value)?,
            "bridge.trusted_host_interfaces" => {
                let names = value.split(':').filter(|one| !one.is_empty());
                let names = names.map(|one| interface(name, one, 15));
                self.trusted_interfaces = names.collect::<Result<_>>()?;
            }
            "host_ipv4" => self.source_v4 = Some(parsed(name, value)?),
            "host_ipv6" => self.source_v6 = Some(parsed(name, value)?),
            // Docker's own default network carries it; whether a network is the default one follows from its name here.
            "bridge.default_bridge" => drop(truth(name, value)?),
            _ => return Err(unknown(Driver::Bridge, name)),
        }
        Ok(())
    }
}

fn unknown(driver: Driver, name: &str) -> Error {
    Error::invalid(format!(
        "the {} driver has no option {name:?}",
        driver.name()
    ))
}

fn wrong(name: &str, value: &str) -> Error {
    Error::invalid(format!("invalid value {value:?} for option {name:?}"))
}

fn parsed<T: std::str::FromStr>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| wrong(name, value))
}

fn choose<T: serde::de::DeserializeOwned>(name: &str, value: &str) -> Result<T> {
    serde_json::from_value(serde_json::Value::from(value)).map_err(|_| wrong(name, value))
}

fn truth(name: &str, value: &str) -> Result<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(wrong(name, value)),
    }
}

/// IPv4 needs 68 bytes (RFC 791); the kernel's links take no more than 65535.
fn mtu(name: &str, value: &str) -> Result<u32> {
    let mtu = parsed(name, value)?;
    if (68..=65535).contains(&mtu) {
        Ok(mtu)
    } else {
        Err(wrong(name, value))
    }
}

/// A name that the kernel takes for a link: it is no path and has no space.
pub(crate) fn interface(name: &str, value: &str, most: usize) -> Result<String> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%');
    let good = !value.is_empty() && value.len() <= most && value.chars().all(plain);
    if good && value != "." && value != ".." {
        Ok(value.to_owned())
    } else {
        Err(wrong(name, value))
    }
}

#[cfg(test)]
mod tests;
