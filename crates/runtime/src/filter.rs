//! The filter of system calls: from the specification's words to the kernel's.

use std::os::fd::OwnedFd;

use kernel::seccomp::{self, Filter, LoadFlags, Profile, Rule};
use spec::runtime::{Action, Arch, Arg, Operator, Seccomp, Syscall};

use crate::error::{Error, Result};
use crate::listener::Listener;

/// A filter of system calls, compiled, and how it is loaded.
#[derive(Debug, Clone)]
pub struct Confinement {
    filter: Filter,
    flags: LoadFlags,
    listener: Option<Listener>,
}

impl Confinement {
    /// Compiles what a specification says.
    ///
    /// # Errors
    /// A flag, an action or an argument that this kernel does not have; a listener without a path, or for everything.
    pub fn new(spec: &Seccomp) -> Result<Self> {
        let mut flags = LoadFlags::NONE;
        for name in &spec.flags {
            let flag = LoadFlags::parse(name)
                .ok_or_else(|| Error::unsupported("load filter of system calls with", name))?;
            // A process has one thread when it is loaded. Without a listener nothing is received.
            let without = spec.syscalls.iter().all(|r| r.action != Action::Notify);
            if flag != LoadFlags::TSYNC && !(without && flag == LoadFlags::WAIT_KILLABLE_RECV) {
                flags = flags.with(flag);
            }
        }
        let listener = Listener::of(spec)?;
        if listener.is_some() {
            flags = flags.with(LoadFlags::NEW_LISTENER);
        }
        let profile = Profile {
            default: action(spec.default_action, spec.default_errno_ret)?,
            architectures: spec.architectures.iter().filter_map(|&a| arch(a)).collect(),
            rules: spec.syscalls.iter().map(rule).collect::<Result<_>>()?,
        };
        Ok(Self {
            filter: profile.compile()?,
            flags,
            listener,
        })
    }

    /// Loads it; gives the descriptor of those system calls that a listener decides about.
    pub(crate) fn load(&self) -> Result<Option<OwnedFd>> {
        Ok(self.filter.load(self.flags)?)
    }

    pub(crate) fn listener(&self) -> Option<&Listener> {
        self.listener.as_ref()
    }
}

fn rule(syscall: &Syscall) -> Result<Rule> {
    Ok(Rule {
        names: syscall.names.clone(),
        action: action(syscall.action, syscall.errno_ret)?,
        args: syscall.args.iter().map(arg).collect::<Result<_>>()?,
    })
}

fn arg(arg: &Arg) -> Result<seccomp::Arg> {
    let index = u8::try_from(arg.index)
        .map_err(|_| Error::invalid("compare argument", arg.index.to_string()))?;
    Ok(seccomp::Arg {
        index,
        value: arg.value,
        value_two: arg.value_two,
        op: match arg.op {
            Operator::NotEqual => seccomp::Op::NotEqual,
            Operator::Less => seccomp::Op::Less,
            Operator::LessOrEqual => seccomp::Op::LessOrEqual,
            Operator::Equal => seccomp::Op::Equal,
            Operator::GreaterOrEqual => seccomp::Op::GreaterOrEqual,
            Operator::Greater => seccomp::Op::Greater,
            Operator::MaskedEqual => seccomp::Op::MaskedEqual,
        },
    })
}

fn action(action: Action, number: Option<u32>) -> Result<seccomp::Action> {
    /// EPERM, where no number is given.
    const DEFAULT: u32 = 1;
    let number = number.unwrap_or(DEFAULT);
    let number = u16::try_from(number)
        .map_err(|_| Error::invalid("answer system call with error", number.to_string()))?;
    Ok(match action {
        Action::Kill | Action::KillThread => seccomp::Action::KillThread,
        Action::KillProcess => seccomp::Action::KillProcess,
        Action::Trap => seccomp::Action::Trap,
        Action::Errno => seccomp::Action::Errno(number),
        Action::Trace => seccomp::Action::Trace(number),
        Action::Allow => seccomp::Action::Allow,
        Action::Log => seccomp::Action::Log,
        Action::Notify => seccomp::Action::Notify,
    })
}

/// Those whose programs this machine may run; a profile names many more.
fn arch(arch: Arch) -> Option<seccomp::Arch> {
    let native = seccomp::Arch::native()?;
    let (arch, host) = match arch {
        Arch::X86_64 => (seccomp::Arch::X86_64, seccomp::Arch::X86_64),
        Arch::X32 => (seccomp::Arch::X32, seccomp::Arch::X86_64),
        Arch::X86 => (seccomp::Arch::X86, seccomp::Arch::X86_64),
        Arch::Aarch64 => (seccomp::Arch::Aarch64, seccomp::Arch::Aarch64),
        Arch::Arm => (seccomp::Arch::Arm, seccomp::Arch::Aarch64),
        _ => return None,
    };
    (host == native).then_some(arch)
}
