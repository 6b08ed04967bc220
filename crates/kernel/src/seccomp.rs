//! Filters of system calls: a profile is compiled to a BPF program and loaded.
//!
//! Read [`Profile`] (what is meant), then `compile.rs` (the program). The program first looks at the architecture, then finds the number of the call in a
//! binary tree of ranges, then compares arguments where a rule has some: some ten instructions for a call, against hundreds of a linear one.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::error::At;
use crate::{Error, Result, raw};

mod compile;
mod program;
mod table;

pub use program::Instruction;

/// What happens at a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is made.
    Allow,
    /// It is made, and logged.
    Log,
    /// It fails with this error number.
    Errno(u16),
    /// The thread gets `SIGSYS`.
    Trap,
    /// A tracer decides, told this number; without one it fails with `ENOSYS`.
    Trace(u16),
    /// Whoever holds the listener decides.
    Notify,
    /// The thread ends.
    KillThread,
    /// The process ends.
    KillProcess,
}

impl Action {
    /// What the program returns for it: SECCOMP_RET_*.
    #[must_use]
    pub fn verdict(self) -> u32 {
        match self {
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Log => libc::SECCOMP_RET_LOG,
            Self::Errno(number) => libc::SECCOMP_RET_ERRNO | u32::from(number),
            Self::Trap => libc::SECCOMP_RET_TRAP,
            Self::Trace(number) => libc::SECCOMP_RET_TRACE | u32::from(number),
            Self::Notify => libc::SECCOMP_RET_USER_NOTIF,
            Self::KillThread => libc::SECCOMP_RET_KILL_THREAD,
            Self::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }

    /// Whether the call is made.
    fn permits(self) -> bool {
        matches!(self, Self::Allow | Self::Log | Self::Trace(_))
    }
}

/// An architecture, as in the calling convention of one system call: an x86-64 kernel takes calls of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit x86 with 32-bit pointers; the same audit value as x86-64 and a bit in the number.
    X32,
    /// 32-bit x86.
    X86,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM, EABI.
    Arm,
}

/// The bit that marks an x32 call.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

impl Arch {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::X86_64, Self::X32, Self::X86, Self::Aarch64, Self::Arm];

    /// The one that this program is compiled for; `None` if filters can't be made for it.
    #[must_use]
    pub const fn native() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Aarch64)
        } else {
            None
        }
    }

    /// The one that the OCI runtime specification names so: `SCMP_ARCH_X86_64`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "SCMP_ARCH_X86_64" => Some(Self::X86_64),
            "SCMP_ARCH_X32" => Some(Self::X32),
            "SCMP_ARCH_X86" => Some(Self::X86),
            "SCMP_ARCH_AARCH64" => Some(Self::Aarch64),
            "SCMP_ARCH_ARM" => Some(Self::Arm),
            _ => None,
        }
    }

    /// AUDIT_ARCH_* of linux/audit.h: the ELF machine, 0x8000_0000 for 64 bits, 0x4000_0000 for little-endian.
    #[must_use]
    pub const fn audit(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => 0xC000_003E,
            Self::X86 => 0x4000_0003,
            Self::Aarch64 => 0xC000_00B7,
            Self::Arm => 0x4000_0028,
        }
    }

    /// The number of the system call `name`, as the kernel sees it (with [`Arch::X32`]'s bit); `None` if there is none.
    #[must_use]
    pub fn number(self, name: &str) -> Option<u32> {
        self.numbered(numbers(name)?)
    }

    /// The name of the system call with the number `number`; `None` if there is none.
    #[must_use]
    pub fn name(self, number: u32) -> Option<&'static str> {
        let found = |(_, numbers): &&(&str, _)| self.numbered(numbers) == Some(number);
        table::SYSCALLS.iter().find(found).map(|(name, _)| *name)
    }

    fn numbered(self, numbers: &[u32; 5]) -> Option<u32> {
        let (column, bit) = match self {
            Self::X86_64 => (0, 0),
            Self::X32 => (1, X32_BIT),
            Self::X86 => (2, 0),
            Self::Aarch64 => (3, 0),
            Self::Arm => (4, 0),
        };
        let number = numbers[column];
        (number != table::NONE).then_some(number | bit)
    }

    /// Whether arguments have 32 bits.
    fn narrow(self) -> bool {
        matches!(self, Self::X86 | Self::Arm)
    }
}

/// The numbers of the system call `name` on all architectures.
fn numbers(name: &str) -> Option<&'static [u32; 5]> {
    let row = table::SYSCALLS
        .binary_search_by(|(known, _)| (*known).cmp(name))
        .ok()?;
    Some(&table::SYSCALLS[row].1)
}

/// How an argument is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Not equal to the value.
    NotEqual,
    /// Below it, unsigned as all.
    Less,
    /// Below it or equal.
    LessOrEqual,
    /// Equal to it.
    Equal,
    /// Above it or equal.
    GreaterOrEqual,
    /// Above it.
    Greater,
    /// The bits that are set in the value are equal to the second value.
    MaskedEqual,
}

impl Op {
    /// The one that the OCI runtime specification names so: `SCMP_CMP_EQ`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "SCMP_CMP_NE" => Some(Self::NotEqual),
            "SCMP_CMP_LT" => Some(Self::Less),
            "SCMP_CMP_LE" => Some(Self::LessOrEqual),
            "SCMP_CMP_EQ" => Some(Self::Equal),
            "SCMP_CMP_GE" => Some(Self::GreaterOrEqual),
            "SCMP_CMP_GT" => Some(Self::Greater),
            "SCMP_CMP_MASKED_EQ" => Some(Self::MaskedEqual),
            _ => None,
        }
    }
}

/// A condition on one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arg {
    /// Which argument: 0 to 5.
    pub index: u8,
    /// What it is compared with; the mask for [`Op::MaskedEqual`].
    pub value: u64,
    /// What the masked argument is compared with.
    pub value_two: u64,
    /// How.
    pub op: Op,
}

/// What happens at some system calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Their names. Those that an architecture does not have are passed over, as libseccomp does: profiles name calls of all.
    pub names: Vec<String>,
    /// What happens if all conditions hold.
    pub action: Action,
    /// The conditions. If two are on the same argument, then each of all is a rule of its own, one of which must hold: runc's reading, on which
    /// published profiles rely.
    pub args: Vec<Arg>,
}

/// A filter as it is meant. The first rule that names a call and whose conditions hold decides about it, else the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What happens at calls that no rule decides about.
    ///
    /// Calls newer than the newest that the profile names for an architecture fail with `ENOSYS` instead (unless the default lets calls pass), so that
    /// programs fall back to what older kernels have.
    pub default: Action,
    /// The architectures; the native one is always among them. Calls of others end the process.
    pub architectures: Vec<Arch>,
    /// The rules, in order.
    pub rules: Vec<Rule>,
}

impl Profile {
    /// The program for it, for this machine.
    ///
    /// # Errors
    /// An argument above the sixth, a program of more than 4096 instructions, or a machine that filters can't be made for.
    pub fn compile(&self) -> Result<Filter> {
        let Some(native) = Arch::native() else {
            let machine = std::env::consts::ARCH;
            return Err(Error::unsupported(
                "compile",
                "seccomp profile",
                format!("no table for {machine}"),
            ));
        };
        self.compile_for(native)
    }

    /// The program for a machine whose own architecture is `native`.
    ///
    /// # Errors
    /// As [`Profile::compile`].
    pub fn compile_for(&self, native: Arch) -> Result<Filter> {
        compile::compile(self, native).map(Filter)
    }
}

/// How a filter is loaded: SECCOMP_FILTER_FLAG_*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadFlags(u32);

impl LoadFlags {
    /// For the calling thread, nothing else.
    pub const NONE: Self = Self(0);
    /// For all threads of the process.
    pub const TSYNC: Self = Self(1);
    /// All verdicts but allow are logged.
    pub const LOG: Self = Self(2);
    /// Speculation is not restricted for it.
    pub const SPEC_ALLOW: Self = Self(4);
    /// [`Filter::load`] gives a listener.
    pub const NEW_LISTENER: Self = Self(8);
    /// A notified thread waits uninterruptibly once its call was received.
    pub const WAIT_KILLABLE_RECV: Self = Self(32);

    /// The flag that the OCI runtime specification names so: `SECCOMP_FILTER_FLAG_LOG`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "SECCOMP_FILTER_FLAG_TSYNC" => Some(Self::TSYNC),
            "SECCOMP_FILTER_FLAG_LOG" => Some(Self::LOG),
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => Some(Self::SPEC_ALLOW),
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => Some(Self::WAIT_KILLABLE_RECV),
            _ => None,
        }
    }

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A compiled filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Vec<Instruction>);

impl Filter {
    /// A program that was compiled before and kept.
    #[must_use]
    pub fn from_instructions(instructions: Vec<Instruction>) -> Self {
        Self(instructions)
    }

    /// The program.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.0
    }

    /// Loads it for the calling thread and all that it starts, for ever. Needs CAP_SYS_ADMIN or no-new-privileges. Gives the listener if the flags
    /// ask for it. Allocates nothing.
    ///
    /// # Errors
    /// `EACCES` without the right, `EINVAL` for a program or flag that the kernel refuses.
    pub fn load(&self, flags: LoadFlags) -> Result<Option<OwnedFd>> {
        let listener = flags.contains(LoadFlags::NEW_LISTENER);
        raw::seccomp::set_filter(&self.0, flags.0, listener).at("load", "seccomp filter")
    }
}

/// Whether the kernel knows `action`: SECCOMP_GET_ACTION_AVAIL (Linux 4.14).
///
/// # Errors
/// The kernel has no seccomp.
pub fn is_available(action: Action) -> Result<bool> {
    // The kernel takes the action without its data.
    match raw::seccomp::action_available(action.verdict() & libc::SECCOMP_RET_ACTION_FULL) {
        Ok(()) => Ok(true),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error).at("probe", "seccomp"),
    }
}

#[cfg(test)]
mod tests;
