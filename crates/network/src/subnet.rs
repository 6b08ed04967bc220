//! Subnets and link addresses as values.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The two families of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// How many bits an address has: 32 or 128.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    pub(crate) fn address(self, value: u128) -> IpAddr {
        match self {
            // A value of this family never has more bits: the callers mask and compare within a subnet.
            Self::V4 => IpAddr::V4(Ipv4Addr::from_bits(
                u32::try_from(value).unwrap_or(u32::MAX),
            )),
            Self::V6 => IpAddr::V6(Ipv6Addr::from_bits(value)),
        }
    }
}

pub(crate) fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// A subnet: all addresses that share the first `prefix` bits. Host bits are always zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

impl Subnet {
    /// The subnet of `prefix` bits that `address` lies in.
    ///
    /// # Errors
    /// More bits than the family has.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self> {
        let family = Family::of(address);
        if prefix > family.bits() {
            return Err(Error::invalid(format!(
                "invalid subnet {address}/{prefix}: an address has {} bits",
                family.bits()
            )));
        }
        let address = family.address(bits_of(address) & !host_mask(family, prefix));
        Ok(Self { address, prefix })
    }

    /// Its lowest address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits its addresses share.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Its family.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// Its highest address: an IPv4 subnet's broadcast address.
    #[must_use]
    pub fn last(&self) -> IpAddr {
        let family = self.family();
        family.address(bits_of(self.address) | host_mask(family, self.prefix))
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family()
            && bits_of(address) & !host_mask(self.family(), self.prefix) == bits_of(self.address)
    }

    /// Whether the two share an address.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// Whether every address of `other` lies in it.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.contains(other.address) && self.prefix <= other.prefix
    }
}

const fn host_mask(family: Family, prefix: u8) -> u128 {
    let host = family.bits() - prefix;
    if host == 128 {
        u128::MAX
    } else {
        (1 << host) - 1
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Debug for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Subnet {
    type Err = Error;

    /// `address/prefix`; host bits are cut off, as Docker does.
    fn from_str(text: &str) -> Result<Self> {
        let (address, prefix) = parse_cidr(text)?;
        Self::new(address, prefix)
    }
}

/// `address/prefix` with its host bits, as an address of an interface is written.
///
/// # Errors
/// The text is none.
pub fn parse_cidr(text: &str) -> Result<(IpAddr, u8)> {
    let invalid = || {
        Error::invalid(format!(
            "invalid CIDR block {text:?}: expected ADDRESS/PREFIX"
        ))
    };
    let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
    let address = address.parse().map_err(|_| invalid())?;
    let prefix = prefix.parse().map_err(|_| invalid())?;
    Ok((address, prefix))
}

impl TryFrom<String> for Subnet {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac([u8; 6]);

impl Mac {
    /// The address of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The bytes, in the order in which they are sent.
    #[must_use]
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// The address that an endpoint with this IPv4 address gets. It follows from the address, so that a neighbour's cache stays true when another container
    /// gets the address later.
    #[must_use]
    pub const fn of_ipv4(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0x42, a, b, c, d])
    }

    /// The address that an endpoint without IPv4 gets; see [`Mac::of_ipv4`].
    #[must_use]
    pub const fn of_ipv6(address: Ipv6Addr) -> Self {
        let o = address.octets();
        // The folded upper half keeps two subnets with the same host part apart.
        Self([
            0x02,
            0x43,
            o[12] ^ o[4],
            o[13] ^ o[5],
            o[14] ^ o[6],
            o[15] ^ o[7],
        ])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = Error;

    /// Six pairs of hexadecimal digits with `:` or `-` between. No group address and not all zero: an interface can't have those.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = || Error::invalid(format!("{text:?} is not a valid mac address"));
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2);
            *byte = part
                .and_then(|part| u8::from_str_radix(part, 16).ok())
                .ok_or_else(invalid)?;
        }
        if parts.next().is_some() || bytes[0] & 1 == 1 || bytes == [0; 6] {
            return Err(invalid());
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Mac {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests;
