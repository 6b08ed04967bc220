//! Who has a name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A container's end of a network, as an owner of names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Which it is: text without commas and spaces, the same for all its names.
    pub id: String,
    /// Its address.
    pub v4: Option<Ipv4Addr>,
    /// Its address.
    pub v6: Option<Ipv6Addr>,
}

impl Owner {
    /// Its addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.v4.map(IpAddr::V4);
        v4.into_iter().chain(self.v6.map(IpAddr::V6))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},", self.id)?;
        if let Some(address) = self.v4 {
            write!(f, "{address}")?;
        }
        f.write_str(",")?;
        if let Some(address) = self.v6 {
            write!(f, "{address}")?;
        }
        Ok(())
    }
}

/// The text is no owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoOwner;

impl FromStr for Owner {
    type Err = NoOwner;

    fn from_str(text: &str) -> Result<Self, NoOwner> {
        let mut parts = text.split(',');
        let (Some(id), Some(v4), Some(v6), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoOwner);
        };
        Ok(Self {
            id: id.to_owned(),
            v4: address(v4)?,
            v6: address(v6)?,
        })
    }
}

fn address<A: FromStr>(text: &str) -> Result<Option<A>, NoOwner> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| NoOwner)
}

/// The owners that an entry's text names. What is no owner is left out: no damage may take the other names away.
pub(super) fn parse(text: &str) -> Vec<Owner> {
    text.split(' ')
        .filter_map(|part| part.parse().ok())
        .collect()
}

pub(super) fn format(owners: &[Owner]) -> String {
    let parts: Vec<String> = owners.iter().map(Owner::to_string).collect();
    parts.join(" ")
}
