//! Network devices that change their namespace: rtnetlink(7), as much as that needs.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

use crate::error::At;
use crate::namespace::{self, Kind};
use crate::{Error, Result};

const OP: &str = "move network device";

/// Moves the device `name` of the calling thread's network namespace into `target`, where it is called `new_name`. Its permanent global addresses go with
/// it, and it is up there.
///
/// The calling process must have one thread: it is in `target` for a moment.
///
/// # Errors
/// There is no such device, the name is taken there, or no right.
pub fn move_to(name: &str, target: impl AsFd, new_name: &str) -> Result<()> {
    for name in [name, new_name] {
        if !is_name(name) {
            let shown = name.escape_default();
            return Err(Error::invalid(OP, shown, "not a name of a network device"));
        }
    }
    let target = target.as_fd();
    let here = Route::open().at(OP, name)?;
    let index = here.index(name).at(OP, name)?;
    let addresses = here.addresses(index).at(OP, name)?;
    here.send_away(index, target, new_name).at(OP, name)?;
    let home = namespace::open(None, Kind::Net)?;
    namespace::setns_one(target, Kind::Net)?;
    let raised = arrive(new_name, &addresses);
    namespace::setns_one(&home, Kind::Net)?;
    raised.at("raise moved network device", new_name)
}

/// What the kernel takes for a name: `dev_valid_name`.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() < 16
        && !name
            .bytes()
            .any(|byte| byte == 0 || byte == b'/' || byte == b':' || byte.is_ascii_whitespace())
}

fn arrive(name: &str, addresses: &[Vec<u8>]) -> Result<(), Errno> {
    let there = Route::open()?;
    let index = there.index(name)?;
    for address in addresses {
        let mut message = Message::new(NEW_ADDRESS, REQUEST | ACK | CREATE | REPLACE);
        message.bytes.extend(address);
        let at = HEADER + 4;
        message.bytes[at..at + 4].copy_from_slice(&index.to_ne_bytes());
        there.ask(message, |_| ())?;
    }
    there.ask(link(index, UP, UP), |_| ())
}

const GET_LINK: u16 = 18;
const SET_LINK: u16 = 19;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;

const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
const REPLACE: u16 = 0x100;
const CREATE: u16 = 0x400;

/// IFF_UP.
const UP: u32 = 1;

/// `struct nlmsghdr`.
const HEADER: usize = 16;

#[derive(Debug)]
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.resize(HEADER, 0);
        Self { bytes }
    }

    /// A `struct rtattr` and its value.
    fn put(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes
    }
}

/// RTM_SETLINK with a `struct ifinfomsg`.
fn link(index: u32, flags: u32, change: u32) -> Message {
    let mut message = Message::new(SET_LINK, REQUEST | ACK);
    message.bytes.extend([0; 4]);
    for number in [index, flags, change] {
        message.bytes.extend(number.to_ne_bytes());
    }
    message
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

#[derive(Debug)]
struct Route(OwnedFd);

impl Route {
    fn open() -> Result<Self, Errno> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            // NETLINK_ROUTE is protocol 0.
            None,
        )?;
        Ok(Self(socket))
    }

    /// Sends a request, and gives each answer's header and body until the last.
    fn ask(&self, message: Message, mut each: impl FnMut(&[u8])) -> Result<(), Errno> {
        const ERROR: u16 = 2;
        const DONE: u16 = 3;
        send(&self.0, &message.finish(), SendFlags::empty())?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let received = recv(&self.0, buffer.as_mut_slice(), RecvFlags::empty());
            let count = match received {
                Err(Errno::INTR) => continue,
                other => other?.0,
            };
            let mut rest = &buffer[..count];
            while rest.len() >= HEADER {
                let length = number(rest, 0).and_then(|length| usize::try_from(length).ok());
                let one = length.and_then(|length| rest.get(..length).filter(|_| length >= HEADER));
                let one = one.ok_or(Errno::PROTO)?;
                match short(one, 4) {
                    Some(ERROR) => {
                        let code = number(one, HEADER).ok_or(Errno::PROTO)?.cast_signed();
                        return match code {
                            0 => Ok(()),
                            code => Err(Errno::from_raw_os_error(code.saturating_neg())),
                        };
                    }
                    Some(DONE) => return Ok(()),
                    _ => each(one),
                }
                rest = rest.get(one.len().next_multiple_of(4)..).unwrap_or(&[]);
            }
        }
    }

    /// The number of the device called `name`; `ENODEV` if there is none.
    fn index(&self, name: &str) -> Result<u32, Errno> {
        const IFLA_IFNAME: u16 = 3;
        let mut message = Message::new(GET_LINK, REQUEST | ACK);
        message.bytes.extend([0; 16]);
        message.put(IFLA_IFNAME, format!("{name}\0").as_bytes());
        let mut found = None;
        self.ask(message, |answer| found = number(answer, HEADER + 4))?;
        found.ok_or(Errno::NODEV)
    }

    /// The permanent addresses of global scope: `struct ifaddrmsg` and those attributes that are not the name's or the time's.
    fn addresses(&self, index: u32) -> Result<Vec<Vec<u8>>, Errno> {
        const IFA_F_PERMANENT: u8 = 0x80;
        /// IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST.
        const KEPT: [u16; 3] = [1, 2, 4];
        let mut message = Message::new(GET_ADDRESS, REQUEST | DUMP);
        message.bytes.extend([0; 8]);
        let mut all = Vec::new();
        self.ask(message, |answer| {
            let Some(own) = answer.get(HEADER..HEADER + 8) else {
                return;
            };
            // Family, prefix, flags, scope, index.
            if number(own, 4) != Some(index) || own[2] & IFA_F_PERMANENT == 0 || own[3] != 0 {
                return;
            }
            let mut kept = Message {
                bytes: own.to_vec(),
            };
            let mut rest = &answer[HEADER + 8..];
            while let (Some(length), Some(kind)) = (short(rest, 0), short(rest, 2)) {
                let length = usize::from(length);
                let Some(value) = rest.get(4..length) else {
                    break;
                };
                if KEPT.contains(&kind) {
                    kept.put(kind, value);
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
            }
            all.push(kept.bytes);
        })?;
        Ok(all)
    }

    fn send_away(&self, index: u32, target: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
        const IFLA_IFNAME: u16 = 3;
        const IFLA_NET_NS_FD: u16 = 28;
        // A device that is up can't be renamed on older kernels.
        self.ask(link(index, 0, UP), |_| ())?;
        let mut message = link(index, 0, 0);
        message.put(IFLA_NET_NS_FD, &target.as_raw_fd().to_ne_bytes());
        message.put(IFLA_IFNAME, format!("{name}\0").as_bytes());
        self.ask(message, |_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::{Route, is_name};
    use rustix::io::Errno;

    #[test]
    fn names_are_those_that_the_kernel_takes() {
        assert!(is_name("eth0.5") && is_name("a"));
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a:0",
            "0123456789abcdef",
            "a\0",
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_loopback_is_found() {
        let route = Route::open().unwrap();
        assert_eq!(route.index("lo"), Ok(1));
        assert_eq!(route.index("nosuch0"), Err(Errno::NODEV));
        route.addresses(1).unwrap();
    }
}
