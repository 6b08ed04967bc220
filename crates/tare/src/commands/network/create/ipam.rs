//! From `--subnet`, `--ip-range`, `--gateway` and `--aux-address` to pools: what belongs to which subnet follows from the addresses.

use std::net::IpAddr;

use crate::error::{Error, Result};
use api::network::IpamConfig;

#[cfg(test)]
mod tests;

/// A subnet as it was written, understood as far as is needed to tell what lies in it.
struct Subnet {
    address: IpAddr,
    prefix: u32,
}

impl Subnet {
    fn parse(what: &str, text: &str) -> Result<Self> {
        let parts = text.split_once('/').and_then(|(address, prefix)| {
            let address: IpAddr = address.parse().ok()?;
            let prefix: u32 = prefix.parse().ok()?;
            let bits = if address.is_ipv4() { 32 } else { 128 };
            (prefix <= bits).then_some(Self { address, prefix })
        });
        parts.ok_or_else(|| Error::local(format!("invalid {what} {text}: expected ADDRESS/PREFIX")))
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// The pools that the flags describe.
pub(super) fn pools(
    subnets: &[String],
    ranges: &[String],
    gateways: &[String],
    aux: &[(String, String)],
) -> Result<Vec<IpamConfig>> {
    if subnets.len() < ranges.len() || subnets.len() < gateways.len() {
        return Err(Error::local(
            "every ip-range or gateway must have a corresponding subnet",
        ));
    }
    let mut parsed: Vec<Subnet> = Vec::new();
    for text in subnets {
        let one = Subnet::parse("subnet", text)?;
        if parsed
            .iter()
            .any(|other| other.contains(one.address) || one.contains(other.address))
        {
            return Err(Error::local(
                "multiple overlapping subnet configuration is not supported",
            ));
        }
        parsed.push(one);
    }
    let mut pools: Vec<IpamConfig> = subnets
        .iter()
        .map(|subnet| IpamConfig {
            subnet: subnet.clone(),
            ..IpamConfig::default()
        })
        .collect();
    let at = |address: IpAddr| parsed.iter().position(|subnet| subnet.contains(address));
    for text in ranges {
        let range = Subnet::parse("ip-range", text)?;
        let pool = at(range.address)
            .and_then(|at| pools.get_mut(at))
            .ok_or_else(|| Error::local(format!("no matching subnet for range {text}")))?;
        let subnet = &pool.subnet;
        once(&pool.ip_range, text, "ranges", subnet)?;
        text.clone_into(&mut pool.ip_range);
    }
    for text in gateways {
        let pool = at(address("gateway", text)?)
            .and_then(|at| pools.get_mut(at))
            .ok_or_else(|| Error::local(format!("no matching subnet for gateway {text}")))?;
        once(&pool.gateway, text, "gateways", &pool.subnet)?;
        text.clone_into(&mut pool.gateway);
    }
    for (name, text) in aux {
        let pool = at(address("aux-address", text)?)
            .and_then(|at| pools.get_mut(at))
            .ok_or_else(|| Error::local(format!("no matching subnet for aux-address {text}")))?;
        pool.aux_addresses.insert(name.clone(), text.clone());
    }
    Ok(pools)
}

fn address(what: &str, text: &str) -> Result<IpAddr> {
    text.parse()
        .map_err(|_| Error::local(format!("invalid {what} {text}: expected an address")))
}

fn once(there: &str, new: &str, what: &str, subnet: &str) -> Result<()> {
    if there.is_empty() {
        return Ok(());
    }
    Err(Error::local(format!(
        "cannot configure multiple {what} ({new}, {there}) on the same subnet ({subnet})"
    )))
}
