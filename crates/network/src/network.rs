//! What a network is: [`Network`], its [`Driver`] and its [`Pool`]s of addresses.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::options::Options;
use crate::subnet::{Family, Subnet};

/// A network's id: 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkId(String);

impl NetworkId {
    /// The id made of 32 random bytes, which the caller passes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        use std::fmt::Write;
        let mut text = String::with_capacity(64);
        for byte in bytes {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, which people see.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NetworkId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(digits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(format!("invalid network id: {text:?}")))
        }
    }
}

impl TryFrom<String> for NetworkId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<NetworkId> for String {
    fn from(id: NetworkId) -> Self {
        id.0
    }
}

/// What a network is made of. `container:ID` is no network: such a container has no links of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// A bridge on the host, with address translation to the world.
    Bridge,
    /// The host's own namespace: nothing is made.
    Host,
    /// A namespace with nothing but `lo`.
    None,
    /// Links with Ethernet addresses of their own on a parent interface.
    Macvlan,
    /// Links that share their parent's Ethernet address.
    Ipvlan,
}

impl Driver {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "null",
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
        }
    }

    /// Whether containers on it have links and addresses of their own.
    #[must_use]
    pub const fn has_links(self) -> bool {
        matches!(self, Self::Bridge | Self::Macvlan | Self::Ipvlan)
    }
}

impl FromStr for Driver {
    type Err = Error;

    /// The driver of this name; Docker's message for one that does not exist.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "" | "bridge" | "default" => Ok(Self::Bridge),
            "host" => Ok(Self::Host),
            "null" | "none" => Ok(Self::None),
            "macvlan" => Ok(Self::Macvlan),
            "ipvlan" => Ok(Self::Ipvlan),
            _ => Err(Error::new(
                crate::Kind::NotFound,
                format!("could not find plugin {text} in v1 plugin registry: plugin not found"),
            )
            .with_hint("the drivers are bridge, host, none, macvlan and ipvlan")),
        }
    }
}

/// One subnet of a network, and which of its addresses are for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The addresses that are on the link.
    pub subnet: Subnet,
    /// Where containers without a wish get theirs from; the whole subnet if none.
    pub range: Option<Subnet>,
    /// The host's address on a bridge; the router's for macvlan and ipvlan. None: nothing leads out.
    pub gateway: Option<IpAddr>,
    /// Addresses that others on the link use, by name: no container gets them.
    pub aux: BTreeMap<String, IpAddr>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub driver: Driver,
    /// Its subnets. An endpoint has an address of the first with room of each family.
    pub pools: Vec<Pool>,
    /// Whether nothing leads out of it: no route, no published ports.
    pub internal: bool,
    /// Whether containers may be put on it by hand; kept for the API, where it is about swarms.
    pub attachable: bool,
    /// What its driver was told, understood.
    pub options: Options,
    /// What its driver was told, as it was given.
    pub raw_options: BTreeMap<String, String>,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// Unix nanoseconds.
    pub created_at: i64,
}

impl Network {
    /// Whether it has a subnet of this family.
    #[must_use]
    pub fn has(&self, family: Family) -> bool {
        self.pools_of(family).next().is_some()
    }

    /// Its subnets of one family.
    pub fn pools_of(&self, family: Family) -> impl Iterator<Item = &Pool> {
        self.pools
            .iter()
            .filter(move |pool| pool.subnet.family() == family)
    }

    /// The name of its bridge: what the user said, else `tr-` and the start of its id. 15 bytes are the most that a link's name has.
    #[must_use]
    pub fn bridge(&self) -> String {
        let own = || format!("tr-{}", self.id.short());
        self.options.bridge.clone().unwrap_or_else(own)
    }
}
