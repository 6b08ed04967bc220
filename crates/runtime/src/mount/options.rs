//! Mount options as text, and what they mean: pure.

use crate::error::{Error, Result};

/// Attributes of a mount, as mount_setattr(2) numbers them.
pub(crate) mod attr {
    pub(crate) const RDONLY: u64 = 0x1;
    pub(crate) const NOSUID: u64 = 0x2;
    pub(crate) const NODEV: u64 = 0x4;
    pub(crate) const NOEXEC: u64 = 0x8;
    /// The bits of the access time: cleared as one, else the kernel refuses.
    pub(crate) const ATIME: u64 = 0x70;
    pub(crate) const NOATIME: u64 = 0x10;
    pub(crate) const STRICTATIME: u64 = 0x20;
    pub(crate) const NODIRATIME: u64 = 0x80;
    pub(crate) const NOSYMFOLLOW: u64 = 0x20_0000;
}

/// Attributes to set and to clear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) set: u64,
    pub(crate) clear: u64,
}

/// How mounts below are spread to other namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Shared,
    Slave,
    Private,
    Unbindable,
}

/// Whether a change also holds for what is mounted below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    One,
    All,
}

/// What the options of one mount mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `bind`, `rbind`.
    pub(crate) bind: Option<Depth>,
    /// Of this mount.
    pub(crate) attr: Change,
    /// Of this mount and all below.
    pub(crate) recursive: Change,
    pub(crate) propagation: Option<(Propagation, Depth)>,
    /// `idmap`, `ridmap`.
    pub(crate) id_map: Option<Depth>,
    /// `tmpcopyup`: what the image has there is copied into the new file system.
    pub(crate) copy_up: bool,
    /// What the file system itself takes: `key` or `key=value`.
    pub(crate) data: Vec<(String, Option<String>)>,
}

impl Change {
    fn apply(&mut self, flag: Flag) {
        let (set, clear) = match flag {
            Flag::Set(bits) => (bits, 0),
            Flag::Clear(bits) => (0, bits),
            Flag::Atime(value) => (value, attr::ATIME),
        };
        // A later option wins.
        self.set = (self.set & !clear) | set;
        self.clear = (self.clear & !set) | clear;
        if matches!(flag, Flag::Atime(_)) {
            self.clear |= attr::ATIME;
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

#[derive(Clone, Copy)]
enum Flag {
    Set(u64),
    Clear(u64),
    Atime(u64),
}

/// Attributes by name; with an `r` before it, of everything below too.
const FLAGS: &[(&str, Flag)] = &[
    ("ro", Flag::Set(attr::RDONLY)),
    ("rw", Flag::Clear(attr::RDONLY)),
    ("nosuid", Flag::Set(attr::NOSUID)),
    ("suid", Flag::Clear(attr::NOSUID)),
    ("nodev", Flag::Set(attr::NODEV)),
    ("dev", Flag::Clear(attr::NODEV)),
    ("noexec", Flag::Set(attr::NOEXEC)),
    ("exec", Flag::Clear(attr::NOEXEC)),
    ("noatime", Flag::Atime(attr::NOATIME)),
    ("atime", Flag::Atime(0)),
    ("relatime", Flag::Atime(0)),
    ("norelatime", Flag::Atime(attr::STRICTATIME)),
    ("strictatime", Flag::Atime(attr::STRICTATIME)),
    ("nostrictatime", Flag::Atime(0)),
    ("nodiratime", Flag::Set(attr::NODIRATIME)),
    ("diratime", Flag::Clear(attr::NODIRATIME)),
    ("nosymfollow", Flag::Set(attr::NOSYMFOLLOW)),
    ("symfollow", Flag::Clear(attr::NOSYMFOLLOW)),
];

const PROPAGATIONS: &[(&str, Propagation)] = &[
    ("shared", Propagation::Shared),
    ("slave", Propagation::Slave),
    ("private", Propagation::Private),
    ("unbindable", Propagation::Unbindable),
];

/// Options of mount(8) that mean nothing to the kernel.
const IGNORED: &[&str] = &[
    "defaults", "nofail", "auto", "noauto", "user", "nouser", "users", "group", "owner", "_netdev",
    "remount",
];

pub(crate) fn parse(options: &[String]) -> Result<Options> {
    let mut parsed = Options::default();
    for option in options {
        if option.contains('\0') {
            return Err(Error::invalid(
                "read mount option",
                option.escape_default().to_string(),
            ));
        }
        one(&mut parsed, option);
    }
    Ok(parsed)
}

fn one(parsed: &mut Options, option: &str) {
    match option {
        "bind" => parsed.bind = Some(parsed.bind.unwrap_or(Depth::One)),
        "rbind" => parsed.bind = Some(Depth::All),
        "idmap" => parsed.id_map = Some(Depth::One),
        "ridmap" => parsed.id_map = Some(Depth::All),
        "tmpcopyup" => parsed.copy_up = true,
        _ if IGNORED.contains(&option) || option.starts_with("x-") => {}
        _ => {
            if let Some(flag) = flag(option) {
                parsed.attr.apply(flag);
            } else if let Some(propagation) = propagation(option) {
                parsed.propagation = Some((propagation, Depth::One));
            } else if let Some(flag) = option.strip_prefix('r').and_then(flag) {
                parsed.recursive.apply(flag);
            } else if let Some(propagation) = option.strip_prefix('r').and_then(propagation) {
                parsed.propagation = Some((propagation, Depth::All));
            } else if !option.is_empty() {
                parsed.data.push(match option.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                    None => (option.to_owned(), None),
                });
            }
        }
    }
}

/// The options that mean something here rather than to a file system, in the order of the alphabet.
pub(crate) fn known() -> Vec<String> {
    let named = FLAGS.iter().map(|(n, _)| *n);
    let named = named.chain(PROPAGATIONS.iter().map(|(n, _)| *n));
    let recursive = named.clone().map(|n| format!("r{n}"));
    let mut all: Vec<String> = named.map(str::to_owned).chain(recursive).collect();
    all.extend(["bind", "rbind", "tmpcopyup", "idmap", "ridmap"].map(str::to_owned));
    all.extend(IGNORED.iter().map(|&n| n.to_owned()));
    all.sort();
    all
}

fn flag(name: &str) -> Option<Flag> {
    FLAGS.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
}

/// The propagation called `name`, without the `r` of a recursive one.
pub(crate) fn propagation(name: &str) -> Option<Propagation> {
    PROPAGATIONS
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, p)| *p)
}
