//! Inside a container's network namespace: addresses, routes.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::thread;

use kernel::Errno;
use kernel::namespace::{self, Kind as Namespace};
use kernel::netlink::route::{self, NoGateway, State};
use kernel::netlink::{Socket, loopback_up};

use crate::endpoint::{Endpoint, way_out};
use crate::error::{Doing, Error, Kind, Result};
use crate::fabric::host::{has_ipv6, write_sysctl};
use crate::network::{Driver, Network};
use crate::options::IpvlanMode;
use crate::subnet::Family;

/// Does `work` on a thread of its own in the network namespace `namespace`: a thread's namespace can't be left safely in a process with others.
pub(in crate::fabric) fn within<T: Send>(
    namespace: BorrowedFd<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    let inside = || {
        namespace::setns_one(namespace, Namespace::Net)
            .doing("can't enter the container's network")?;
        work()
    };
    thread::scope(|scope| scope.spawn(inside).join())
        .unwrap_or_else(|_| Err(Error::new(Kind::Other, "a thread of the network has ended")))
}

/// See [`super::new_namespace`].
pub(in crate::fabric) fn new_namespace() -> Result<OwnedFd> {
    let make = || {
        namespace::unshare(&[Namespace::Net]).doing("can't make a network namespace")?;
        loopback_up().doing("can't bring up lo")?;
        namespace::open_own(Namespace::Net).doing("can't open a network namespace")
    };
    thread::spawn(make)
        .join()
        .unwrap_or_else(|_| Err(Error::new(Kind::Other, "a thread of the network has ended")))
}

/// Whether the calling thread's namespace has a link of this name.
pub(in crate::fabric) fn is_inside(socket: &Socket, name: &str) -> Result<bool> {
    let link = route::link(socket, name).doing("can't look into the container's network")?;
    Ok(link.is_some())
}

/// Gives an endpoint's link, in whose namespace the calling thread is, its addresses, and puts it up.
pub(in crate::fabric) fn settle(
    socket: &Socket,
    network: &Network,
    endpoint: &Endpoint,
) -> Result<()> {
    let name = &endpoint.interface;
    let failed = || {
        format!(
            "can't give {name} its addresses on network {}",
            network.name
        )
    };
    let link = route::link(socket, name)
        .doing(failed())?
        .ok_or_else(|| Error::new(Kind::NotFound, failed()))?;
    // IPv6 where the network has none would be a way around its rules (CVE-2024-32473).
    if has_ipv6() {
        let path = format!("net/ipv6/conf/{name}");
        if !network.has(Family::V6) {
            write_sysctl(&format!("{path}/disable_ipv6"), "1")?;
        } else if network.driver == Driver::Bridge {
            // All addresses on a bridge of ours are kept apart, so nobody needs to be asked for a second.
            write_sysctl(&format!("{path}/dad_transmits"), "0")?;
        }
    }
    let mut messages = Vec::new();
    for family in [Family::V4, Family::V6] {
        if let Some((address, prefix)) = endpoint.with_prefix(network, family) {
            messages.push(route::add_address(link.index, address, prefix));
        }
    }
    for address in &endpoint.extra {
        let prefix = if address.is_ipv4() { 16 } else { 64 };
        messages.push(route::add_address(link.index, *address, prefix));
    }
    messages.push(route::set_state(link.index, State::Up));
    socket.request(name, messages).doing(failed())
}

/// Sets the ways out of the calling thread's namespace as its endpoints decide. A family without one keeps none.
pub(in crate::fabric) fn lead_out(
    socket: &Socket,
    endpoints: &[(&Network, &Endpoint)],
) -> Result<()> {
    let failed = || "can't set the container's default route";
    for (family, none) in [(Family::V4, NoGateway::V4), (Family::V6, NoGateway::V6)] {
        let message = match way_out(endpoints, family) {
            Some((endpoint, gateway)) => {
                let link = route::link(socket, &endpoint.interface)
                    .doing(failed())?
                    .ok_or_else(|| Error::new(Kind::NotFound, failed()))?;
                let flat = endpoints.iter().any(|(network, one)| {
                    *one == endpoint
                        && network.driver == Driver::Ipvlan
                        && network.options.ipvlan != IpvlanMode::L2
                });
                // At layer 3 there is no neighbour to ask for the next hop's address.
                let hop = if flat { Err(none) } else { Ok(gateway) };
                route::default_route(link.index, hop)
            }
            None => route::remove_default_route(none),
        };
        match socket.request("default route", vec![message]) {
            // There was none to remove.
            Err(error)
                if matches!(
                    error.errno(),
                    Errno::SRCH | Errno::NOENT | Errno::AFNOSUPPORT | Errno::OPNOTSUPP
                ) => {}
            other => other.doing(failed())?,
        }
    }
    Ok(())
}
