use std::collections::BTreeSet;

use super::program::{AND, IF_EQUAL, IF_GREATER, IF_GREATER_OR_EQUAL, JUMP, LOAD, RETURN};
mod random;

use super::{Action, Arch, Arg, Filter, Instruction, Op, Profile, Rule, X32_BIT, table};

const EPERM: Action = Action::Errno(1);
const ENOSYS: Action = Action::Errno(38);

/// `struct seccomp_data`.
#[derive(Clone, Copy)]
struct Call {
    number: u32,
    arch: u32,
    args: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        let arg = |at: u32| self.args[usize::try_from(at / 8).unwrap()];
        match offset {
            0 => self.number,
            4 => self.arch,
            16.. if offset.is_multiple_of(8) => {
                u32::try_from(arg(offset - 16) & 0xffff_ffff).unwrap()
            }
            16.. if offset % 8 == 4 => u32::try_from(arg(offset - 20) >> 32).unwrap(),
            _ => panic!("word at {offset}"),
        }
    }
}

/// What the kernel's interpreter does with the instructions that are used here.
fn run(program: &[Instruction], call: &Call) -> u32 {
    let (mut at, mut a) = (0, 0_u32);
    loop {
        let it = program[at];
        at += 1;
        let mut branch = |yes: bool| at += usize::from(if yes { it.jt } else { it.jf });
        match it.code {
            LOAD => a = call.word(it.k),
            AND => a &= it.k,
            JUMP => at += usize::try_from(it.k).unwrap(),
            IF_EQUAL => branch(a == it.k),
            IF_GREATER => branch(a > it.k),
            IF_GREATER_OR_EQUAL => branch(a >= it.k),
            RETURN => return it.k,
            code => panic!("code {code:#x}"),
        }
    }
}

/// What a profile means on one architecture, written as plainly as can be.
struct Meaning<'a> {
    native: Arch,
    arch: Arch,
    profile: &'a Profile,
    /// The numbers that each rule names.
    numbers: Vec<BTreeSet<u32>>,
    newest: Option<u32>,
}

impl<'a> Meaning<'a> {
    fn new(profile: &'a Profile, native: Arch, arch: Arch) -> Self {
        let named = |rule: &Rule| {
            rule.names
                .iter()
                .filter_map(|name| arch.number(name))
                .collect()
        };
        let numbers: Vec<BTreeSet<u32>> = profile.rules.iter().map(named).collect();
        let low = |number: &u32| number & !X32_BIT < 0xf_0000;
        let newest = numbers.iter().flatten().copied().filter(low).max();
        Self {
            native,
            arch,
            profile,
            numbers,
            newest,
        }
    }

    fn listed(&self, arch: Arch) -> bool {
        arch == self.native || self.profile.architectures.contains(&arch)
    }

    fn holds(&self, arg: &Arg, call: &Call) -> bool {
        let narrow = matches!(self.arch, Arch::X86 | Arch::Arm);
        let cut = |value: u64| if narrow { value & 0xffff_ffff } else { value };
        let is = cut(call.args[usize::from(arg.index)]);
        let (value, two) = (cut(arg.value), cut(arg.value_two));
        match arg.op {
            Op::NotEqual => is != value,
            Op::Less => is < value,
            Op::LessOrEqual => is <= value,
            Op::Equal => is == value,
            Op::GreaterOrEqual => is >= value,
            Op::Greater => is > value,
            Op::MaskedEqual => is & value == two,
        }
    }

    fn of(&self, call: &Call) -> Action {
        if !self.listed(self.arch) {
            let no_call = self.arch == Arch::X32 && self.listed(Arch::X86_64);
            return if no_call { ENOSYS } else { Action::KillProcess };
        }
        for (rule, numbers) in self.profile.rules.iter().zip(&self.numbers) {
            let indexes: BTreeSet<u8> = rule.args.iter().map(|arg| arg.index).collect();
            let mut args = rule.args.iter();
            let matches = numbers.contains(&call.number)
                && if indexes.len() < rule.args.len() {
                    args.any(|arg| self.holds(arg, call))
                } else {
                    args.all(|arg| self.holds(arg, call))
                };
            if matches {
                return rule.action;
            }
        }
        let default = self.profile.default;
        let lets_pass = matches!(default, Action::Allow | Action::Log | Action::Trace(_));
        let is_new = self.newest.is_some_and(|newest| call.number > newest);
        let private = self.arch == Arch::Arm && call.number >= 0xf_0000;
        if is_new && !lets_pass && !private {
            ENOSYS
        } else {
            default
        }
    }
}

fn arg(index: u8, op: Op, value: u64, value_two: u64) -> Arg {
    Arg {
        index,
        value,
        value_two,
        op,
    }
}

fn rule(names: &[&str], action: Action, args: &[Arg]) -> Rule {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Rule {
        names,
        action,
        args: args.to_vec(),
    }
}

/// A profile like Docker's: most calls allowed, some with conditions, some with errors of their own.
fn like_dockers(default: Action, architectures: &[Arch]) -> Profile {
    let special = [
        "clone",
        "clone3",
        "personality",
        "socket",
        "keyctl",
        "ptrace",
        "ioctl",
        "kexec_load",
    ];
    let names: Vec<&str> = table::SYSCALLS
        .iter()
        .map(|(name, _)| *name)
        .enumerate()
        .filter(|(index, name)| {
            index % 7 != 3 && !special.contains(name) && !name.starts_with("list")
        })
        .map(|(_, name)| name)
        .collect();
    let mut rules = vec![
        rule(&names, Action::Allow, &[]),
        rule(&["no_such_call", "ptrace"], Action::Log, &[]),
        rule(&["clone3"], ENOSYS, &[]),
        rule(
            &["clone"],
            Action::Allow,
            &[arg(0, Op::MaskedEqual, 0x7e02_0000, 0)],
        ),
        rule(&["socket"], Action::Allow, &[arg(0, Op::Less, 38, 0)]),
        rule(&["socket"], Action::Allow, &[arg(0, Op::Equal, 39, 0)]),
        rule(&["socket"], Action::Allow, &[arg(0, Op::Greater, 40, 0)]),
        rule(
            &["ioctl"],
            Action::Errno(25),
            &[
                arg(1, Op::Equal, 0x5412, 0),
                arg(1, Op::Equal, 0x541c, 0),
                arg(2, Op::Equal, 7, 0),
            ],
        ),
        rule(&["ioctl"], Action::Allow, &[]),
        rule(
            &["kexec_load"],
            Action::Trap,
            &[
                arg(0, Op::GreaterOrEqual, 0x1_0000_0005, 0),
                arg(1, Op::LessOrEqual, 0xffff_ffff_0000_0001, 0),
                arg(5, Op::NotEqual, 3, 0),
            ],
        ),
        rule(
            &["kexec_load"],
            Action::KillThread,
            &[arg(
                3,
                Op::MaskedEqual,
                0xff00_0000_0000_00ff,
                0x1100_0000_0000_0022,
            )],
        ),
    ];
    for value in [0, 8, 0x20000, 0x20008, 0xffff_ffff] {
        rules.push(rule(
            &["personality"],
            Action::Allow,
            &[arg(0, Op::Equal, value, 0)],
        ));
    }
    Profile {
        default,
        architectures: architectures.to_vec(),
        rules,
    }
}

/// Values around those that the rules compare with, and their neighbours in the other word.
const VALUES: [u64; 24] = [
    0,
    1,
    3,
    7,
    8,
    37,
    38,
    39,
    40,
    41,
    0x5412,
    0x541c,
    0x20000,
    0x20008,
    0x0200_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0004,
    0x1_0000_0005,
    0x1_0000_0006,
    0xffff_ffff_0000_0001,
    0xffff_ffff_0000_0002,
    0x1100_0000_0000_0022,
    u64::MAX,
];

fn all_numbers(arch: Arch) -> Vec<u32> {
    let bit = if arch == Arch::X32 { X32_BIT } else { 0 };
    let mut numbers: Vec<u32> = (0..700).map(|number| number | bit).collect();
    numbers.extend(
        [
            0xe_ffff,
            0xf_0000,
            0xf_0001,
            0xf_0005,
            0xf_0006,
            0x3fff_ffff,
        ]
        .map(|number| number | bit),
    );
    if matches!(arch, Arch::X86 | Arch::Aarch64 | Arch::Arm) {
        numbers.extend([0x4000_0000, 0x4000_0001, u32::MAX]);
    }
    numbers
}

fn check(profile: &Profile, native: Arch) {
    let filter = profile.compile_for(native).unwrap();
    let mut random = 12345_u64;
    for arch in Arch::ALL {
        let meaning = Meaning::new(profile, native, arch);
        for number in all_numbers(arch) {
            let named = |(rule, numbers): (&Rule, &BTreeSet<u32>)| {
                !rule.args.is_empty() && numbers.contains(&number)
            };
            let has_args = profile.rules.iter().zip(&meaning.numbers).any(named);
            for _ in 0..if has_args { 60 } else { 1 } {
                let args = [(); 6].map(|()| {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    VALUES[usize::try_from(random >> 33).unwrap() % VALUES.len()]
                });
                let call = Call {
                    number,
                    arch: arch.audit(),
                    args,
                };
                let wanted = meaning.of(&call);
                let got = run(filter.instructions(), &call);
                assert_eq!(
                    got,
                    wanted.verdict(),
                    "{arch:?} {number:#x} {args:x?}: {wanted:?}"
                );
            }
        }
    }
}

#[test]
fn every_call_of_every_architecture() {
    for default in [EPERM, Action::Allow, Action::Log, Action::KillProcess] {
        for architectures in [
            &[][..],
            &[Arch::X86_64, Arch::X86],
            &[Arch::X86_64, Arch::X86, Arch::X32],
            &[Arch::X32],
        ] {
            check(&like_dockers(default, architectures), Arch::X86_64);
        }
        check(
            &like_dockers(default, &[Arch::Aarch64, Arch::Arm]),
            Arch::Aarch64,
        );
    }
}

#[test]
fn a_profile_without_rules() {
    for default in [EPERM, Action::Allow] {
        check(
            &Profile {
                default,
                architectures: vec![],
                rules: vec![],
            },
            Arch::X86_64,
        );
    }
}

/// Every call alternately, so that the program has jumps longer than 255 instructions.
#[test]
fn a_long_program() {
    let rules = table::SYSCALLS
        .iter()
        .enumerate()
        .map(|(index, (name, _))| {
            let action = Action::Errno(u16::try_from(index % 29 + 2).unwrap());
            let args = [
                arg(0, Op::Greater, index as u64, 0),
                arg(1, Op::MaskedEqual, 1 << 40 | 0xff, 7),
            ];
            rule(&[name], action, &args[..index % 3])
        })
        .collect();
    let profile = Profile {
        default: EPERM,
        architectures: vec![Arch::X86_64],
        rules,
    };
    let filter = profile.compile_for(Arch::X86_64).unwrap();
    assert!(
        filter.instructions().len() > 1500,
        "{}",
        filter.instructions().len()
    );
    check(&profile, Arch::X86_64);
}

#[test]
fn too_long_a_program_is_refused() {
    let rules = (0..5000)
        .map(|index| rule(&["read"], EPERM, &[arg(0, Op::Equal, index, 0)]))
        .collect();
    let profile = Profile {
        default: Action::Allow,
        architectures: vec![],
        rules,
    };
    assert!(profile.compile_for(Arch::X86_64).is_err());
    let rules = vec![rule(&["read"], EPERM, &[arg(6, Op::Equal, 0, 0)])];
    let profile = Profile {
        default: Action::Allow,
        architectures: vec![],
        rules,
    };
    assert!(profile.compile_for(Arch::X86_64).is_err());
}

#[test]
fn a_program_like_dockers_is_short() {
    let profile = like_dockers(EPERM, &[Arch::X86_64]);
    let filter: Filter = profile.compile_for(Arch::X86_64).unwrap();
    assert!(
        filter.instructions().len() < 500,
        "{}",
        filter.instructions().len()
    );
}

#[test]
fn names_and_numbers() {
    let sorted = table::SYSCALLS.windows(2).all(|pair| pair[0].0 < pair[1].0);
    assert!(sorted);
    for (arch, name, number) in [
        (Arch::X86_64, "read", 0),
        (Arch::X86_64, "mseal", 462),
        (Arch::X86, "read", 3),
        (Arch::X86, "socketcall", 102),
        (Arch::X32, "ioctl", 514 | X32_BIT),
        (Arch::Aarch64, "openat", 56),
        (Arch::Aarch64, "newfstatat", 79),
        (Arch::Arm, "set_tls", 0xf_0005),
        (Arch::Arm, "clock_gettime64", 403),
    ] {
        assert_eq!(arch.number(name), Some(number), "{arch:?} {name}");
        assert_eq!(arch.name(number), Some(name));
    }
    assert_eq!(Arch::Aarch64.number("open"), None);
    assert_eq!(Arch::X86_64.number("nothing"), None);
}
