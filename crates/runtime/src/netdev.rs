//! Network devices of the host's that move into a container: which, checked before there is a process.

use std::os::fd::AsFd;

use kernel::Pid;
use kernel::namespace::{self, Kind};
use spec::runtime::Linux;

use crate::error::{Error, Result};
use crate::plan::Namespaces;

/// One device: its name outside, and inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    outside: String,
    inside: String,
}

pub(crate) fn plan(linux: &Linux, namespaces: &Namespaces) -> Result<Vec<Device>> {
    if !linux.net_devices.is_empty() && !namespaces.is_own(Kind::Net) {
        return Err(Error::invalid(
            "move network devices without a network namespace:",
            "linux.netDevices",
        ));
    }
    let mut all: Vec<Device> = Vec::with_capacity(linux.net_devices.len());
    for (outside, device) in &linux.net_devices {
        let inside = match device.name.as_str() {
            "" => outside,
            name => name,
        };
        if all.iter().any(|other| other.inside == *inside) {
            return Err(Error::invalid(
                "move two network devices to one name:",
                inside,
            ));
        }
        all.push(Device {
            outside: outside.clone(),
            inside: inside.to_owned(),
        });
    }
    Ok(all)
}

/// Moves `devices` into the network namespace of the process `pid`, or into the one that it joins.
pub(crate) fn apply(devices: &[Device], namespaces: &Namespaces, pid: Pid) -> Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    let joined = namespaces
        .joined
        .iter()
        .find(|(kind, _)| *kind == Kind::Net);
    let opened;
    let target = match joined {
        Some((_, fd)) => fd.as_fd(),
        None => {
            opened = namespace::open(Some(pid), Kind::Net)?;
            opened.as_fd()
        }
    };
    for Device { outside, inside } in devices {
        kernel::netdev::move_to(outside, target, inside)?;
    }
    Ok(())
}
