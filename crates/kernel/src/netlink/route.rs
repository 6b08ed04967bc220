//! rtnetlink(7): links, their addresses, routes. Requests are made by functions and sent by the caller, several in one system call where they belong together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::message::{Attributes, Message, Reply, number};
use super::socket::Socket;
use crate::Result;

const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const GETLINK: u16 = 18;
const SETLINK: u16 = 19;
const NEWADDR: u16 = 20;
const GETADDR: u16 = 22;
const NEWROUTE: u16 = 24;
const DELROUTE: u16 = 25;
const GETROUTE: u16 = 26;
const NEWNEIGH: u16 = 28;
const NEWQDISC: u16 = 36;
const NEWTFILTER: u16 = 44;

const F_REPLACE: u16 = 0x100;
const F_EXCL: u16 = 0x200;
const F_CREATE: u16 = 0x400;

const AF_INET: u8 = 2;
const AF_BRIDGE: u8 = 7;
const AF_INET6: u8 = 10;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_PROTINFO: u16 = 12;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_BRPORT_MODE: u16 = 4;
const IFLA_BRPORT_ISOLATED: u16 = 33;
const VETH_INFO_PEER: u16 = 1;
/// `IFLA_INET6_ADDR_GEN_MODE`, and its modes: from the Ethernet address, and none.
const ADDR_GEN_MODE: u16 = 8;

/// IFF_UP.
const UP: u32 = 1;

const IFINFO: usize = 16;
const IFADDR: usize = 8;
const RTMSG: usize = 12;

/// What an interface is to be, and what of it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not in use.
    Down,
    /// In use.
    Up,
}

/// How an interface makes its link-local IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkLocal {
    /// From its Ethernet address (RFC 4291, appendix A).
    Eui64,
    /// Not at all.
    None,
}

/// What all new links have.
#[derive(Clone, Debug)]
pub struct NewLink<'a> {
    /// The name, at most 15 bytes.
    pub name: &'a str,
    /// The Ethernet address; a random one if none.
    pub mac: Option<[u8; 6]>,
    /// The largest packet; the kind's own if none.
    pub mtu: Option<u32>,
    /// A number by which links are told apart; 0 is everybody's.
    pub group: u32,
    /// The bridge that it is a port of.
    pub master: Option<u32>,
    /// Whether it is up from the start.
    pub state: State,
}

/// What a link hangs on, for the kinds that hang on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sub {
    /// macvlan with this mode: `MACVLAN_MODE_*`.
    Macvlan(u32),
    /// ipvlan with this mode and these flags: `IPVLAN_MODE_*`, `IPVLAN_F_*`.
    Ipvlan(u16, u16),
    /// A VLAN with this number (IEEE 802.1Q).
    Vlan(u16),
}

fn ifinfo(family: u8, index: u32, flags: u32, change: u32) -> [u8; IFINFO] {
    let mut body = [0; IFINFO];
    body[0] = family;
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..16].copy_from_slice(&change.to_ne_bytes());
    body
}

impl NewLink<'_> {
    fn message(&self) -> Message {
        let up = match self.state {
            State::Up => UP,
            State::Down => 0,
        };
        let mut message = Message::new(NEWLINK, F_CREATE | F_EXCL).body(&ifinfo(0, 0, up, up));
        self.fill(&mut message);
        if let Some(master) = self.master {
            message.put_u32(IFLA_MASTER, master);
        }
        message
    }

    fn fill(&self, message: &mut Message) {
        message.put_text(IFLA_IFNAME, self.name);
        if let Some(mac) = self.mac {
            message.put(IFLA_ADDRESS, &mac);
        }
        if let Some(mtu) = self.mtu {
            message.put_u32(IFLA_MTU, mtu);
        }
        message.put_u32(IFLA_GROUP, self.group);
    }

    /// A bridge, without spanning tree, whose ports forward at once.
    #[must_use]
    pub fn bridge(&self) -> Message {
        let mut message = self.message();
        message.nest(IFLA_LINKINFO, |info| {
            info.put_text(IFLA_INFO_KIND, "bridge");
            info.nest(IFLA_INFO_DATA, |data| {
                data.put_u32(IFLA_BR_FORWARD_DELAY, 0)
            });
        });
        message
    }

    /// A pair of Ethernet links, of which the other, `peer`, is born in the network namespace `namespace` if one is given. A link that is moved there later waits for
    /// a grace period of the kernel's, 16 ms. The peer can't be up before the pair is whole.
    #[must_use]
    pub fn veth(&self, peer: &NewLink<'_>, namespace: Option<BorrowedFd<'_>>) -> Message {
        let mut message = self.message();
        message.nest(IFLA_LINKINFO, |info| {
            info.put_text(IFLA_INFO_KIND, "veth");
            info.nest(IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |inner| {
                    inner.put_raw(&ifinfo(0, 0, 0, 0));
                    peer.fill(inner);
                    put_namespace(inner, namespace);
                });
            });
        });
        message
    }

    /// A link on another one, `parent`, born in the network namespace `namespace` if one is given.
    #[must_use]
    pub fn on(&self, parent: u32, kind: Sub, namespace: Option<BorrowedFd<'_>>) -> Message {
        let mut message = self.message();
        message.put_u32(IFLA_LINK, parent);
        put_namespace(&mut message, namespace);
        message.nest(IFLA_LINKINFO, |info| match kind {
            Sub::Macvlan(mode) => {
                info.put_text(IFLA_INFO_KIND, "macvlan");
                info.nest(IFLA_INFO_DATA, |data| data.put_u32(1, mode));
            }
            Sub::Ipvlan(mode, flags) => {
                info.put_text(IFLA_INFO_KIND, "ipvlan");
                info.nest(IFLA_INFO_DATA, |data| {
                    data.put(1, &mode.to_ne_bytes());
                    data.put(2, &flags.to_ne_bytes());
                });
            }
            Sub::Vlan(number) => {
                info.put_text(IFLA_INFO_KIND, "vlan");
                info.nest(IFLA_INFO_DATA, |data| data.put(1, &number.to_ne_bytes()));
            }
        });
        message
    }
}

fn put_namespace(message: &mut Message, namespace: Option<BorrowedFd<'_>>) {
    if let Some(namespace) = namespace {
        message.put(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
    }
}

/// IFLA_BR_FORWARD_DELAY, in hundredths of a second.
const IFLA_BR_FORWARD_DELAY: u16 = 1;

/// Puts a link up or down.
#[must_use]
pub fn set_state(index: u32, state: State) -> Message {
    let up = match state {
        State::Up => UP,
        State::Down => 0,
    };
    Message::new(NEWLINK, 0).body(&ifinfo(0, index, up, UP))
}

/// Puts a link up, known by its name, so that it can follow its creation in the same call; before that says how it makes its link-local address, which the
/// kernel does not take at the creation. Not for a kernel without IPv6.
#[must_use]
pub fn raise(name: &str, link_local: LinkLocal) -> [Message; 2] {
    let mode = match link_local {
        LinkLocal::Eui64 => 0,
        LinkLocal::None => 1,
    };
    let mut settings = Message::new(SETLINK, 0).body(&ifinfo(0, 0, 0, 0));
    settings.put_text(IFLA_IFNAME, name);
    settings.nest(IFLA_AF_SPEC, |spec| {
        spec.nest(AF_INET6.into(), |v6| v6.put(ADDR_GEN_MODE, &[mode]));
    });
    let mut state = Message::new(SETLINK, 0).body(&ifinfo(0, 0, UP, UP));
    state.put_text(IFLA_IFNAME, name);
    [settings, state]
}

/// Makes a link a port of a bridge, or of none for 0.
#[must_use]
pub fn set_master(index: u32, master: u32) -> Message {
    let mut message = Message::new(NEWLINK, 0).body(&ifinfo(0, index, 0, 0));
    message.put_u32(IFLA_MASTER, master);
    message
}

/// Writes a text beside a link, for people and for whoever removes it.
#[must_use]
pub fn set_alias(index: u32, alias: &str) -> Message {
    let mut message = Message::new(NEWLINK, 0).body(&ifinfo(0, index, 0, 0));
    message.put(IFLA_IFALIAS, alias.as_bytes());
    message
}

/// How a bridge treats one of its ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortSettings {
    /// It reaches its bridge and ports that are not isolated, no other (Linux 4.18).
    pub isolated: bool,
    /// What came from it may go back to it.
    pub hairpin: bool,
}

/// Says how a bridge treats one of its ports.
#[must_use]
pub fn set_port(index: u32, settings: PortSettings) -> Message {
    let mut message = Message::new(SETLINK, 0).body(&ifinfo(AF_BRIDGE, index, 0, 0));
    message.nest(IFLA_PROTINFO, |port| {
        port.put(IFLA_BRPORT_MODE, &[settings.hairpin.into()]);
        port.put(IFLA_BRPORT_ISOLATED, &[settings.isolated.into()]);
    });
    message
}

/// Says behind which port of its bridge an Ethernet address is, for as long as the port is there: frames that claim it at another port don't move it
/// (`NTF_STICKY`, Linux 4.20).
#[must_use]
pub fn nail_station(index: u32, mac: [u8; 6]) -> Message {
    const NUD_NOARP: u16 = 0x40;
    const NTF_MASTER: u8 = 0x04;
    const NTF_STICKY: u8 = 0x40;
    const NDA_LLADDR: u16 = 2;
    // struct ndmsg: family, padding, the link, state, flags, kind.
    let mut body = [0; 12];
    body[0] = AF_BRIDGE;
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..10].copy_from_slice(&NUD_NOARP.to_ne_bytes());
    body[10] = NTF_MASTER | NTF_STICKY;
    let mut message = Message::new(NEWNEIGH, F_CREATE | F_REPLACE).body(&body);
    message.put(NDA_LLADDR, &mac);
    message
}

/// Removes a link; for a veth, both ends. The kernel waits for a grace period, 10 to 20 ms.
#[must_use]
pub fn delete_link(index: u32) -> Message {
    Message::new(DELLINK, 0).body(&ifinfo(0, index, 0, 0))
}

/// Gives a link an address, at once and without asking whether others have it (IFA_F_NODAD): whoever calls has kept it apart.
#[must_use]
pub fn add_address(index: u32, address: IpAddr, prefix: u8) -> Message {
    const IFA_F_NODAD: u8 = 2;
    let family = family_of(address);
    let flags = if family == AF_INET6 { IFA_F_NODAD } else { 0 };
    let mut body = [0; IFADDR];
    body[..3].copy_from_slice(&[family, prefix, flags]);
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    if address.is_ipv4() && address.is_loopback() {
        body[3] = 254;
    }
    let mut message = Message::new(NEWADDR, F_CREATE | F_REPLACE).body(&body);
    let bytes = octets(address);
    // IFA_LOCAL and IFA_ADDRESS: the same, as the link has no single other end.
    message.put(2, &bytes);
    message.put(1, &bytes);
    if let IpAddr::V4(v4) = address
        && prefix < 31
    {
        // IFA_BROADCAST.
        let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        message.put(4, &(v4.to_bits() | host).to_be_bytes());
    }
    message
}

/// The way out of a family: over `gateway`, or straight over the link if none. Takes an older way's place.
#[must_use]
pub fn default_route(index: u32, gateway: Result<IpAddr, NoGateway>) -> Message {
    let family = match gateway {
        Ok(gateway) => family_of(gateway),
        Err(NoGateway(family)) => family,
    };
    // RT_TABLE_MAIN, RTPROT_BOOT; RT_SCOPE_UNIVERSE or, without a gateway, RT_SCOPE_LINK.
    let scope = if gateway.is_ok() || family == AF_INET6 {
        0
    } else {
        253
    };
    let mut message = Message::new(NEWROUTE, F_CREATE | F_REPLACE)
        .body(&[family, 0, 0, 0, 254, 3, scope, 1, 0, 0, 0, 0]);
    message.put_u32(4, index);
    if let Ok(gateway) = gateway {
        message.put(5, &octets(gateway));
    }
    message
}

/// A way out without a next hop, in this family (`AF_INET` or `AF_INET6`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoGateway(u8);

impl NoGateway {
    /// IPv4.
    pub const V4: Self = Self(AF_INET);
    /// IPv6.
    pub const V6: Self = Self(AF_INET6);
}

/// Takes the way out of a family away.
#[must_use]
pub fn remove_default_route(family: NoGateway) -> Message {
    Message::new(DELROUTE, 0).body(&[family.0, 0, 0, 0, 254, 0, 255, 0, 0, 0, 0, 0])
}

/// Attaches an eBPF program of the kind `BPF_PROG_TYPE_SCHED_CLS` where packets come in over a link: two messages, the hook and the program. It decides by its
/// result whether a packet goes on.
#[must_use]
pub fn ingress_program(index: u32, program: BorrowedFd<'_>, name: &str) -> [Message; 2] {
    let body = |handle: u32, parent: u32, info: u32| {
        let mut body = [0; 20];
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        body[8..12].copy_from_slice(&handle.to_ne_bytes());
        body[12..16].copy_from_slice(&parent.to_ne_bytes());
        body[16..20].copy_from_slice(&info.to_ne_bytes());
        body
    };
    // TC_H_CLSACT, and below it TC_H_MIN_INGRESS.
    let mut hook = Message::new(NEWQDISC, F_CREATE).body(&body(0xffff_0000, 0xffff_fff1, 0));
    hook.put_text(1, "clsact");
    // Priority 1, ETH_P_ALL.
    let info = 1 << 16 | u32::from(3_u16.to_be());
    let mut filter =
        Message::new(NEWTFILTER, F_CREATE | F_REPLACE).body(&body(1, 0xffff_fff2, info));
    filter.put_text(1, "bpf");
    filter.nest(2, |options| {
        // TCA_BPF_FD, TCA_BPF_NAME, TCA_BPF_FLAGS with TCA_BPF_FLAG_ACT_DIRECT.
        options.put(6, &program.as_raw_fd().to_ne_bytes());
        options.put_text(7, name);
        options.put_u32(8, 1);
    });
    [hook, filter]
}

/// A link that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The group that its maker gave it.
    pub group: u32,
    /// The largest packet.
    pub mtu: u32,
    /// `bridge`, `veth`; empty for hardware.
    pub kind: String,
    /// The bridge that it is a port of.
    pub master: Option<u32>,
    /// The link it hangs on; for a veth, the number of its other end, perhaps in another namespace.
    pub parent: Option<u32>,
    /// What was written beside it.
    pub alias: String,
    /// Its Ethernet address.
    pub mac: Option<[u8; 6]>,
    /// Whether it is in use.
    pub state: State,
}

fn read_link(reply: &Reply) -> Option<Link> {
    let attributes = reply.attributes(IFINFO);
    let flags = number(&reply.payload, 8)?;
    Some(Link {
        index: number(&reply.payload, 4)?,
        name: attributes.text(IFLA_IFNAME)?.to_owned(),
        group: attributes.u32(IFLA_GROUP).unwrap_or(0),
        mtu: attributes.u32(IFLA_MTU).unwrap_or(0),
        kind: attributes
            .nested(IFLA_LINKINFO)
            .text(IFLA_INFO_KIND)
            .unwrap_or_default()
            .to_owned(),
        master: attributes.u32(IFLA_MASTER),
        parent: attributes.u32(IFLA_LINK),
        alias: attributes.text(IFLA_IFALIAS).unwrap_or_default().to_owned(),
        mac: attributes
            .get(IFLA_ADDRESS)
            .and_then(|mac| mac.try_into().ok()),
        state: if flags & UP == 0 {
            State::Down
        } else {
            State::Up
        },
    })
}

/// RTEXT_FILTER_SKIP_STATS, so that an answer is short: of Linux 4.5.
const IFLA_EXT_MASK: u16 = 29;
const SKIP_STATS: u32 = 8;

/// The link of this name.
///
/// # Errors
/// netlink failed; that there is none is no error.
pub fn link(socket: &Socket, name: &str) -> Result<Option<Link>> {
    let mut message = Message::new(GETLINK, 0).body(&ifinfo(0, 0, 0, 0));
    message.put_text(IFLA_IFNAME, name);
    message.put_u32(IFLA_EXT_MASK, SKIP_STATS);
    match socket.get(&format!("link {name}"), message) {
        Ok(reply) => Ok(read_link(&reply)),
        Err(error) if error.errno() == Errno::NODEV => Ok(None),
        Err(error) => Err(error),
    }
}

/// All links.
///
/// # Errors
/// netlink failed.
pub fn links(socket: &Socket) -> Result<Vec<Link>> {
    let mut message = Message::new(GETLINK, 0).body(&ifinfo(0, 0, 0, 0));
    message.put_u32(IFLA_EXT_MASK, SKIP_STATS);
    let replies = socket.dump("links", &message)?;
    Ok(replies.iter().filter_map(read_link).collect())
}

/// An address that a link has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The link's number.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// How many of its bits those on the link share.
    pub prefix: u8,
}

/// All addresses of all links.
///
/// # Errors
/// netlink failed.
pub fn addresses(socket: &Socket) -> Result<Vec<Address>> {
    let message = Message::new(GETADDR, 0).body(&[0; IFADDR]);
    let replies = socket.dump("addresses", &message)?;
    let read = |reply: &Reply| {
        let attributes = reply.attributes(IFADDR);
        // IFA_LOCAL is this end's, which in IPv6 only IFA_ADDRESS says.
        let address = attributes.get(2).or_else(|| attributes.get(1))?;
        Some(Address {
            index: number(&reply.payload, 4)?,
            address: address_of(address)?,
            prefix: *reply.payload.get(1)?,
        })
    };
    Ok(replies.iter().filter_map(read).collect())
}

/// A route to somewhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The first address it leads to.
    pub to: IpAddr,
    /// How many bits those it leads to share; 0 is the way out.
    pub prefix: u8,
    /// The next hop.
    pub gateway: Option<IpAddr>,
    /// The link it leads over, if it is one.
    pub index: Option<u32>,
    /// The lowest is taken first.
    pub metric: u32,
    /// The table it is in; 254 is the main one.
    pub table: u32,
}

/// All routes of all tables but those to the host itself.
///
/// # Errors
/// netlink failed.
pub fn routes(socket: &Socket) -> Result<Vec<Route>> {
    let mut all = Vec::new();
    for family in [AF_INET, AF_INET6] {
        let mut body = [0; RTMSG];
        body[0] = family;
        let message = Message::new(GETROUTE, 0).body(&body);
        let replies = match socket.dump("routes", &message) {
            Err(error) if error.errno() == Errno::OPNOTSUPP => continue,
            other => other?,
        };
        all.extend(replies.iter().filter_map(read_route));
    }
    Ok(all)
}

fn read_route(reply: &Reply) -> Option<Route> {
    const LOCAL: u32 = 255;
    /// RTN_UNICAST, and those that refuse: whoever blackholes a subnet doesn't want it used.
    const KINDS: [u8; 4] = [1, 6, 7, 8];
    let [family, prefix, _, _, table, _, _, kind, ..] = *reply.payload.as_slice() else {
        return None;
    };
    let attributes = reply.attributes(RTMSG);
    let table = attributes.u32(15).unwrap_or(table.into());
    if table == LOCAL || !KINDS.contains(&kind) {
        return None;
    }
    let any: IpAddr = if family == AF_INET {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let next = first_hop(attributes);
    Some(Route {
        to: attributes.get(1).map_or(Some(any), address_of)?,
        prefix,
        gateway: attributes.get(5).and_then(address_of),
        index: attributes.u32(4).or(next),
        metric: attributes.u32(6).unwrap_or(0),
        table,
    })
}

/// The link of the first of several next hops (RTA_MULTIPATH): `struct rtnexthop` begins with a length, flags and hops, then the link's number.
fn first_hop(attributes: Attributes<'_>) -> Option<u32> {
    number(attributes.get(9)?, 4)
}

const fn family_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}
