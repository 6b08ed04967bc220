//! Which devices a group may use: rules, and version 2's program for them.

use std::os::fd::BorrowedFd;

use crate::error::At;
use crate::raw::bpf::{self, Instruction};
use crate::{Error, Result};

/// Whether a rule permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It does.
    Allow,
    /// It forbids.
    Deny,
}

impl Permit {
    /// The file of version 1 that takes such rules.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Allow => "devices.allow",
            Self::Deny => "devices.deny",
        }
    }
}

/// Which kind of devices a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceKind {
    /// Both.
    All,
    /// Block devices.
    Block,
    /// Character devices.
    Char,
}

/// What may be done with a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(u8);

impl Access {
    /// Making a node of it. The numbers are BPF_DEVCG_ACC_*.
    pub const MKNOD: Self = Self(1);
    /// Reading.
    pub const READ: Self = Self(2);
    /// Writing.
    pub const WRITE: Self = Self(4);
    /// All three.
    pub const ALL: Self = Self(7);

    /// From letters: `rwm`. Empty is all. `None` for other letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut access = 0;
        for letter in text.chars() {
            access |= match letter {
                'm' => Self::MKNOD.0,
                'r' => Self::READ.0,
                'w' => Self::WRITE.0,
                _ => return None,
            };
        }
        Some(if access == 0 { Self::ALL } else { Self(access) })
    }

    fn letters(self) -> String {
        [(Self::READ, 'r'), (Self::WRITE, 'w'), (Self::MKNOD, 'm')]
            .into_iter()
            .filter(|(bit, _)| self.0 & bit.0 != 0)
            .map(|(_, letter)| letter)
            .collect()
    }
}

/// One rule. Rules are read in order, as version 1 reads what is written to its files: one about all devices forgets those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRule {
    /// Whether it permits.
    pub permit: Permit,
    /// Which kind.
    pub kind: DeviceKind,
    /// The major number; `None` for any.
    pub major: Option<u32>,
    /// The minor number; `None` for any.
    pub minor: Option<u32>,
    /// What it is about.
    pub access: Access,
}

impl DeviceRule {
    /// The rule about everything with which a list begins.
    #[must_use]
    pub const fn everything(permit: Permit) -> Self {
        Self {
            permit,
            kind: DeviceKind::All,
            major: None,
            minor: None,
            access: Access::ALL,
        }
    }

    fn is_everything(&self) -> bool {
        *self == Self::everything(self.permit)
    }

    /// Its kinds and numbers: two for one about all kinds, unless it is about everything.
    fn kinds(&self) -> &'static [DeviceKind] {
        match self.kind {
            DeviceKind::All => &[DeviceKind::Block, DeviceKind::Char],
            DeviceKind::Block => &[DeviceKind::Block],
            DeviceKind::Char => &[DeviceKind::Char],
        }
    }

    /// As version 1 reads it. `a` there means everything whatever follows, so other rules about all kinds are two.
    pub(super) fn texts(&self) -> Vec<String> {
        if self.is_everything() {
            return vec!["a".to_owned()];
        }
        let number =
            |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |it| it.to_string());
        let (major, minor, access) = (
            number(self.major),
            number(self.minor),
            self.access.letters(),
        );
        let text = |kind: &DeviceKind| {
            let letter = if *kind == DeviceKind::Block { 'b' } else { 'c' };
            format!("{letter} {major}:{minor} {access}")
        };
        self.kinds().iter().map(text).collect()
    }
}

/// What a list of rules comes to: a default, and exceptions from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    default: Permit,
    exceptions: Vec<(DeviceKind, Option<u32>, Option<u32>, u8)>,
}

impl Table {
    /// As version 1's kernel code does it (`devcgroup_update_access`): a rule with the default's answer takes away from an exception of the very same
    /// devices, one with the other answer adds to it.
    pub(super) fn of(rules: &[DeviceRule]) -> Self {
        let mut table = Self {
            default: Permit::Deny,
            exceptions: Vec::new(),
        };
        for rule in rules {
            if rule.is_everything() {
                table = Self {
                    default: rule.permit,
                    exceptions: Vec::new(),
                };
                continue;
            }
            for kind in rule.kinds() {
                table.change((*kind, rule.major, rule.minor), rule.permit, rule.access.0);
            }
        }
        table
    }

    fn change(&mut self, key: (DeviceKind, Option<u32>, Option<u32>), permit: Permit, access: u8) {
        let same = |it: &&mut (DeviceKind, Option<u32>, Option<u32>, u8)| (it.0, it.1, it.2) == key;
        match (
            self.exceptions.iter_mut().find(same),
            permit == self.default,
        ) {
            (Some(found), true) => found.3 &= !access,
            (Some(found), false) => found.3 |= access,
            (None, true) => {}
            (None, false) => self.exceptions.push((key.0, key.1, key.2, access)),
        }
        self.exceptions.retain(|it| it.3 != 0);
    }

    /// A BPF_PROG_TYPE_CGROUP_DEVICE program: r1 points to `struct bpf_cgroup_dev_ctx`, r0 is 1 to permit.
    pub(super) fn program(&self) -> Vec<Instruction> {
        const BLOCK: i32 = 1;
        const CHAR: i32 = 2;
        let answer = |permit| i32::from(permit == Permit::Allow);
        let other = 1 - answer(self.default);
        let mut program = vec![
            // access_type is the access in the high half, the kind in the low one.
            bpf::load_word(2, 1, 0),
            bpf::and(2, 0xffff),
            bpf::load_word(3, 1, 0),
            bpf::shift_right(3, 16),
            bpf::load_word(4, 1, 4),
            bpf::load_word(5, 1, 8),
        ];
        for &(kind, major, minor, access) in &self.exceptions {
            let mut tests: Vec<(Vec<Instruction>, Instruction)> = Vec::new();
            let kind = if kind == DeviceKind::Block {
                BLOCK
            } else {
                CHAR
            };
            tests.push((vec![], bpf::jump_if_not_equal(2, kind)));
            if access != Access::ALL.0 {
                let masked = vec![bpf::copy(1, 3), bpf::and(1, i32::from(access))];
                // All that is asked is permitted, or anything that is asked is forbidden.
                let test = match self.default {
                    Permit::Deny => bpf::jump_if_registers_differ(1, 3),
                    Permit::Allow => bpf::jump_if_equal(1, 0),
                };
                tests.push((masked, test));
            }
            for (register, number) in [(4, major), (5, minor)] {
                if let Some(number) = number {
                    tests.push((
                        vec![],
                        bpf::jump_if_not_equal(register, number.cast_signed()),
                    ));
                }
            }
            let length: usize = tests
                .iter()
                .map(|(before, _)| before.len() + 1)
                .sum::<usize>()
                + 2;
            let mut left = length;
            for (before, mut test) in tests {
                left -= before.len() + 1;
                // At most ten.
                test.offset = i16::try_from(left).unwrap_or(i16::MAX);
                program.extend(before);
                program.push(test);
            }
            program.extend([bpf::set(0, other), bpf::exit()]);
        }
        program.extend([bpf::set(0, answer(self.default)), bpf::exit()]);
        program
    }
}

/// Puts the program of `rules` on the version 2 group behind `dir`, in place of the one that is there, so that at no moment there is none.
pub(super) fn attach(dir: BorrowedFd<'_>, rules: &[DeviceRule]) -> Result<()> {
    const OP: &str = "attach device program to";
    let program =
        bpf::load_device_program(&Table::of(rules).program()).at("load", "device program")?;
    let old = bpf::attached_device_programs(dir).at(OP, "cgroup")?;
    if let [only] = old.as_slice() {
        // BPF_F_REPLACE is of Linux 5.6.
        let replaced = bpf::program_by_id(*only)
            .and_then(|old| bpf::attach_device_program(dir, &program, Some(&old)));
        match replaced {
            Ok(()) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => return Err(Error::new(OP, "cgroup", error)),
        }
    }
    // All attached programs must permit: the new one first, then the old ones go.
    bpf::attach_device_program(dir, &program, None).at(OP, "cgroup")?;
    for id in old {
        let old = bpf::program_by_id(id).at(OP, "cgroup")?;
        bpf::detach_device_program(dir, &old).at(OP, "cgroup")?;
    }
    Ok(())
}
