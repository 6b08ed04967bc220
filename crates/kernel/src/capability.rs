//! Capabilities of the calling thread: capabilities(7).

use std::fmt;
use std::sync::OnceLock;

use crate::error::At;
use crate::{Result, raw};

/// Their names without `CAP_`, by number.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// One capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cap(u8);

impl Cap {
    /// To administer the system.
    pub const SYS_ADMIN: Self = Self(21);
    /// To change resource limits.
    pub const SYS_RESOURCE: Self = Self(24);

    /// The one named `CAP_CHOWN`, `CHOWN` or `chown`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let number = NAMES.iter().position(|known| *known == name)?;
        u8::try_from(number).ok().map(Self)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    fn bit(self) -> u64 {
        1 << self.0
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CAP_{}", NAMES[usize::from(self.0)])
    }
}

/// The last capability that both this crate and the running kernel know.
#[must_use]
pub fn last_cap() -> Cap {
    static LAST: OnceLock<Cap> = OnceLock::new();
    *LAST.get_or_init(|| {
        let known = (0_u8..).zip(NAMES).map(|(number, _)| Cap(number));
        known
            .take_while(|cap| raw::capability::in_bounding_set(cap.0).is_ok())
            .last()
            .unwrap_or(Cap(0))
    })
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CapSet(u64);

impl CapSet {
    /// None.
    pub const EMPTY: Self = Self(0);

    /// All up to [`last_cap`].
    #[must_use]
    pub fn all() -> Self {
        Self((last_cap().bit() << 1) - 1)
    }

    /// The bits, by number.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether `cap` is in it.
    #[must_use]
    pub fn contains(self, cap: Cap) -> bool {
        self.0 & cap.bit() != 0
    }

    /// With `cap`.
    #[must_use]
    pub fn with(self, cap: Cap) -> Self {
        Self(self.0 | cap.bit())
    }

    /// Without `cap`.
    #[must_use]
    pub fn without(self, cap: Cap) -> Self {
        Self(self.0 & !cap.bit())
    }

    /// What is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Its members, by number.
    pub fn iter(self) -> impl Iterator<Item = Cap> {
        (0_u8..)
            .zip(NAMES)
            .map(|(number, _)| Cap(number))
            .filter(move |cap| self.contains(*cap))
    }
}

impl FromIterator<Cap> for CapSet {
    fn from_iter<T: IntoIterator<Item = Cap>>(caps: T) -> Self {
        caps.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// The sets of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// The most that it can ever get by exec.
    pub bounding: CapSet,
    /// What counts now.
    pub effective: CapSet,
    /// What it may make count.
    pub permitted: CapSet,
    /// What it passes to programs whose files take it.
    pub inheritable: CapSet,
    /// What it passes to all programs.
    pub ambient: CapSet,
}

impl Sets {
    /// Those of the calling thread.
    ///
    /// # Errors
    /// capget(2) failed.
    pub fn current() -> Result<Self> {
        let (effective, permitted, inheritable) =
            raw::capability::get().at("read", "capabilities")?;
        let holds = |ask: fn(u8) -> std::io::Result<bool>| {
            CapSet::all()
                .iter()
                .filter(|cap| ask(cap.0).unwrap_or(false))
                .collect()
        };
        Ok(Self {
            bounding: holds(raw::capability::in_bounding_set),
            effective: CapSet(effective),
            permitted: CapSet(permitted),
            inheritable: CapSet(inheritable),
            ambient: holds(raw::capability::in_ambient_set),
        })
    }

    /// Takes from the calling thread's bounding set what is not in [`Sets::bounding`]. To be done while it still has `CAP_SETPCAP`, so before its user
    /// changes.
    ///
    /// # Errors
    /// No right.
    pub fn apply_bounding(&self) -> Result<()> {
        for cap in CapSet::all()
            .iter()
            .filter(|cap| !self.bounding.contains(*cap))
        {
            raw::capability::drop_from_bounding_set(cap.0).at("drop capability", cap)?;
        }
        Ok(())
    }

    /// Gives the calling thread the other four sets. Capabilities that the kernel doesn't know are left out.
    ///
    /// # Errors
    /// More than it has, no right, or an ambient one that is not permitted and inheritable.
    pub fn apply(&self) -> Result<()> {
        let known = |set: CapSet| set.and(CapSet::all()).0;
        raw::capability::clear_ambient_set().at("clear", "ambient capabilities")?;
        let (effective, permitted) = (known(self.effective), known(self.permitted));
        raw::capability::set(effective, permitted, known(self.inheritable))
            .at("set", "capabilities")?;
        for cap in self.ambient.and(CapSet::all()).iter() {
            raw::capability::raise_ambient(cap.0).at("raise ambient capability", cap)?;
        }
        Ok(())
    }
}

/// Whether the permitted set survives a change from user 0 to another, once: PR_SET_KEEPCAPS.
///
/// # Errors
/// prctl(2) failed.
pub fn keep_over_user_change(keep: bool) -> Result<()> {
    raw::prctl::set_keep_capabilities(keep).at("keep", "capabilities")
}

/// From now on exec gives no more rights than before, for ever: PR_SET_NO_NEW_PRIVS.
///
/// # Errors
/// prctl(2) failed.
pub fn set_no_new_privileges() -> Result<()> {
    raw::prctl::set_no_new_privileges().at("set", "no-new-privileges")
}

#[cfg(test)]
mod tests {
    use super::{Cap, CapSet, Sets, last_cap};

    #[test]
    fn names_and_numbers() {
        for (name, number) in [
            ("CAP_CHOWN", 0),
            ("sys_admin", 21),
            ("CAP_CHECKPOINT_RESTORE", 40),
        ] {
            assert_eq!(Cap::parse(name).map(Cap::number), Some(number));
        }
        assert_eq!(Cap::parse("CAP_EVERYTHING"), None);
        assert_eq!(Cap::parse("net_raw").unwrap().to_string(), "CAP_NET_RAW");
    }

    #[test]
    fn dockers_default_mask() {
        let caps = "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP \
                    NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE";
        let set: CapSet = caps.split(' ').filter_map(Cap::parse).collect();
        assert_eq!(set.bits(), 0xa804_25fb);
        assert_eq!(set.iter().count(), 14);
    }

    #[test]
    fn the_kernel_tells_as_procfs_does() {
        let sets = Sets::current().unwrap();
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            u64::from_str_radix(line.split_once('\t').unwrap().1, 16).unwrap()
        };
        assert_eq!(sets.effective.bits(), field("CapEff"));
        assert_eq!(sets.permitted.bits(), field("CapPrm"));
        assert_eq!(sets.inheritable.bits(), field("CapInh"));
        assert_eq!(sets.bounding.bits(), field("CapBnd"));
        assert_eq!(sets.ambient.bits(), field("CapAmb"));
        assert!(last_cap().number() >= 37);
    }
}
