//! Ports of the host: whether they are free, and who has them.

use std::fs;
use std::net::SocketAddr;

use kernel::Errno;
use kernel::netlink::take_port;

use super::Fabric;
use crate::error::{Doing, Error, Kind, Result};
use crate::publish::{Ports, Probe, Protocol};

impl Probe for Fabric {
    fn free(&self, protocol: Protocol, address: SocketAddr) -> Result<()> {
        let error = match take_port(protocol.number(), address) {
            Ok(port) => {
                drop(port);
                return Ok(());
            }
            Err(error) => error,
        };
        match error.errno() {
            // Without SCTP in the kernel no program of the host can have the port.
            Errno::PROTONOSUPPORT | Errno::SOCKTNOSUPPORT | Errno::AFNOSUPPORT => Ok(()),
            Errno::ADDRINUSE => {
                let holder = holder(protocol, address).map(|who| format!(": {who} has it"));
                Err(Error::conflict(format!(
                    "failed to bind host port {address}/{protocol}: address already in use{}",
                    holder.unwrap_or_default()
                ))
                .with_source(error))
            }
            Errno::ADDRNOTAVAIL => Err(Error::new(
                Kind::Invalid,
                format!(
                    "failed to bind host port {address}/{protocol}: this host has no address {}",
                    address.ip()
                ),
            )
            .with_source(error)),
            _ => Err(error).doing(format!("failed to bind host port {address}/{protocol}")),
        }
    }

    fn ephemeral(&self) -> Ports {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let mut numbers = text.split_whitespace().filter_map(|n| n.parse().ok());
        let range = numbers.next().zip(numbers.next());
        let range = range.and_then(|(first, last)| Ports::new(first, last).ok());
        // The kernel's own default.
        range.unwrap_or_else(|| {
            Ports::new(32768, 60999).unwrap_or_else(|_| unreachable!("constants in order"))
        })
    }
}

/// The program that has a port, as far as it can be seen: `nginx (pid 123)`.
fn holder(protocol: Protocol, address: SocketAddr) -> Option<String> {
    let inode = inode(protocol, address)?;
    let wanted = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|n| n.parse::<u32>().ok())
        else {
            continue;
        };
        let files = fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        if targets.any(|target| target.as_os_str() == wanted.as_str()) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", name.trim_end()));
        }
    }
    None
}

/// The number of the socket in the tables of procfs. A line: `sl local_address rem_address st … inode` with the inode tenth; an address is hexadecimal, and its port
/// follows a colon.
fn inode(protocol: Protocol, address: SocketAddr) -> Option<u64> {
    const LISTEN: &str = "0A";
    let tables = match protocol {
        Protocol::Tcp => ["tcp", "tcp6"],
        Protocol::Udp => ["udp", "udp6"],
        Protocol::Sctp => return None,
    };
    let port = format!(":{:04X}", address.port());
    for table in tables {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
        let found = text.lines().skip(1).find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let listens = protocol == Protocol::Udp || words.get(3) == Some(&LISTEN);
            let here = words.get(1).is_some_and(|local| local.ends_with(&port));
            (listens && here)
                .then(|| words.get(9)?.parse().ok())
                .flatten()
        });
        if found.is_some() {
            return found;
        }
    }
    None
}
