//! Connections that the kernel remembers and nobody wants any more.

use std::collections::BTreeSet;
use std::net::IpAddr;

use kernel::netlink::conntrack::{self, Flow};
use kernel::netlink::{Socket, Topic};

use super::Fabric;
use super::published::leads_through;
use crate::error::{Doing, Result};
use crate::publish::{Binding, Protocol};
use crate::subnet::Family;

impl Fabric {
    /// Forgets connections that began before their ports were published: the kernel would keep sending them to where nobody listens, as each packet of a UDP
    /// sender keeps its connection alive. TCP connections end by themselves.
    pub(super) fn forget_stale(&self, bindings: &[Binding]) -> Result<()> {
        let datagrams: Vec<&Binding> = bindings
            .iter()
            .filter(|b| b.protocol != Protocol::Tcp && !b.is_direct())
            .collect();
        let stale = |flow: &Flow| {
            datagrams
                .iter()
                .any(|b| leads_through(b, flow) && flow.reply.source != b.target)
        };
        self.forget_flows(datagrams.iter().map(|b| b.target), stale)
    }

    /// Forgets the connections that `which` chooses, in the families of these addresses.
    pub(super) fn forget_flows(
        &self,
        addresses: impl Iterator<Item = IpAddr>,
        mut which: impl FnMut(&Flow) -> bool,
    ) -> Result<()> {
        let families: BTreeSet<Family> = addresses.map(Family::of).collect();
        if families.is_empty() {
            return Ok(());
        }
        let socket =
            Socket::open(Topic::Netfilter).doing("can't reach the kernel's connections")?;
        for family in families {
            let number = if family == Family::V4 { 2 } else { 10 };
            conntrack::forget(&socket, number, &mut which).doing("can't forget old connections")?;
        }
        Ok(())
    }
}
