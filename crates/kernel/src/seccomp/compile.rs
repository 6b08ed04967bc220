//! From a profile to a program.

use super::program::{
    AND, IF_EQUAL, IF_GREATER, IF_GREATER_OR_EQUAL, Instruction, LOAD, Label, Program,
};
use super::{Action, Arch, Arg, Op, Profile, Rule, X32_BIT, numbers};
use crate::{Error, Result};

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGS: u32 = 16;

/// ARM's private calls (`set_tls` and such) are numbered from here, far above all others.
const ARM_PRIVATE: u32 = 0xF_0000;

/// `ENOSYS`: not a call of this kernel's, as far as the program can know.
const NO_CALL: Action = Action::Errno(38);

/// What happens at one number: the alternatives are tried in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Verdict {
    conditional: Vec<(Vec<Arg>, Action)>,
    /// What decides if none of them does.
    last: Option<Action>,
}

/// A range of numbers, from `first` to the next one's, with one verdict.
struct Range<'a> {
    first: u32,
    verdict: &'a Verdict,
}

pub(super) fn compile(profile: &Profile, native: Arch) -> Result<Vec<Instruction>> {
    if profile
        .rules
        .iter()
        .flat_map(|rule| &rule.args)
        .any(|arg| arg.index > 5)
    {
        return Err(Error::invalid(
            "compile",
            "seccomp profile",
            "a system call has six arguments",
        ));
    }
    let mut architectures = vec![native];
    architectures.extend(&profile.architectures);
    architectures.sort_unstable();
    architectures.dedup();

    let named = named(profile);
    let mut program = Program::default();
    let mut sections = Vec::new();
    for arch in architectures
        .iter()
        .copied()
        .filter(|arch| *arch != Arch::X32)
    {
        let own = section(&mut program, profile, &named, arch);
        let entry = if arch == Arch::X86_64 {
            let other = if architectures.contains(&Arch::X32) {
                section(&mut program, profile, &named, Arch::X32)
            } else {
                // As a kernel does that was built without them.
                program.verdict(NO_CALL.verdict())
            };
            program.branch(IF_GREATER_OR_EQUAL, X32_BIT, other, own)
        } else {
            own
        };
        program.reach(entry, 0);
        sections.push((arch, program.before(LOAD, NUMBER)));
    }
    // The native one is asked for first, so it is written last.
    sections.sort_by_key(|(arch, _)| *arch == native);
    let mut next = program.verdict(Action::KillProcess.verdict());
    for (arch, entry) in sections {
        next = program.branch(IF_EQUAL, arch.audit(), entry, next);
    }
    program.before(LOAD, ARCH);
    program.finish()
}

/// The decision for one architecture; the number is in the accumulator.
fn section(program: &mut Program, profile: &Profile, named: &[Named<'_>], arch: Arch) -> Label {
    let calls = verdicts(named, arch);
    let default = Verdict {
        conditional: Vec::new(),
        last: Some(profile.default),
    };
    let unknown = Verdict {
        conditional: Vec::new(),
        last: Some(NO_CALL),
    };
    let lets_pass = profile.default.permits();
    let unknown = if lets_pass { &default } else { &unknown };
    let ranges = ranges(&calls, &default, unknown, arch);
    tree(program, &ranges, profile.default, arch)
}

/// A name in a rule: its numbers, and the rule.
type Named<'a> = (&'static [u32; 5], &'a Rule);

/// The names that are known, in the rules' order: looked for once, not for each architecture.
fn named(profile: &Profile) -> Vec<Named<'_>> {
    let mut named = Vec::with_capacity(512);
    for rule in &profile.rules {
        let names = rule.names.iter();
        named.extend(names.filter_map(|name| Some((numbers(name)?, rule))));
    }
    named
}

/// What the rules say of each number that they name, by number.
fn verdicts(named: &[Named<'_>], arch: Arch) -> Vec<(u32, Verdict)> {
    let mut rules: Vec<(u32, &Rule)> = named
        .iter()
        .filter_map(|&(numbers, rule)| Some((arch.numbered(numbers)?, rule)))
        .collect();
    // Stable: the rules of a number stay in order.
    rules.sort_by_key(|(number, _)| *number);
    let same = rules.chunk_by(|(one, _), (other, _)| one == other);
    same.map(|rules| (rules[0].0, verdict(rules))).collect()
}

fn verdict(rules: &[(u32, &Rule)]) -> Verdict {
    let mut verdict = Verdict::default();
    for (_, rule) in rules {
        if rule.args.is_empty() {
            verdict.last = Some(rule.action);
            break;
        }
        if repeats_argument(&rule.args) {
            let each = rule.args.iter().map(|arg| (vec![*arg], rule.action));
            verdict.conditional.extend(each);
        } else {
            verdict.conditional.push((rule.args.clone(), rule.action));
        }
    }
    verdict
}

fn repeats_argument(args: &[Arg]) -> bool {
    let mut seen = 0_u8;
    args.iter().any(|arg| {
        let bit = 1 << arg.index;
        let again = seen & bit != 0;
        seen |= bit;
        again
    })
}

/// All numbers in ranges of equal verdicts. Those above the newest that is named are `unknown`, ARM's private ones excepted.
fn ranges<'a>(
    calls: &'a [(u32, Verdict)],
    default: &'a Verdict,
    unknown: &'a Verdict,
    arch: Arch,
) -> Vec<Range<'a>> {
    let mut ranges: Vec<Range<'a>> = Vec::new();
    let mut add = |first: u32, verdict: &'a Verdict| match ranges.last_mut() {
        Some(last) if last.verdict == verdict => {}
        Some(last) if last.first == first => last.verdict = verdict,
        _ => ranges.push(Range { first, verdict }),
    };
    let mut fill = |from: u32, until: u32, above: &'a Verdict| {
        let mut next = from;
        let within = |(number, _): &&(u32, Verdict)| (from..until).contains(number);
        for &(number, ref verdict) in calls.iter().filter(within) {
            add(next, default);
            add(number, verdict);
            next = number + 1;
        }
        // A profile that names none knows nothing of what is new.
        add(next, if next > from { above } else { default });
    };
    if arch == Arch::Arm {
        fill(0, ARM_PRIVATE, unknown);
        fill(ARM_PRIVATE, u32::MAX, default);
    } else {
        fill(0, u32::MAX, unknown);
    }
    ranges
}

/// A binary search for the range that holds the number.
fn tree(program: &mut Program, ranges: &[Range<'_>], default: Action, arch: Arch) -> Label {
    match ranges {
        [] => program.verdict(default.verdict()),
        [range] => leaf(program, range.verdict, default, arch),
        _ => {
            let middle = ranges.len() / 2;
            let high = tree(program, &ranges[middle..], default, arch);
            let low = tree(program, &ranges[..middle], default, arch);
            program.branch(IF_GREATER_OR_EQUAL, ranges[middle].first, high, low)
        }
    }
}

fn leaf(program: &mut Program, verdict: &Verdict, default: Action, arch: Arch) -> Label {
    let mut next = program.verdict(verdict.last.unwrap_or(default).verdict());
    for (args, action) in verdict.conditional.iter().rev() {
        let mut yes = program.verdict(action.verdict());
        for arg in args.iter().rev() {
            yes = condition(program, arg, arch, yes, next);
        }
        next = yes;
    }
    next
}

/// Goes to `yes` if the condition holds, else to `no`.
fn condition(program: &mut Program, arg: &Arg, arch: Arch, yes: Label, no: Label) -> Label {
    match arg.op {
        Op::Equal => compare(program, arg, arch, IF_EQUAL, (yes, no)),
        Op::NotEqual => compare(program, arg, arch, IF_EQUAL, (no, yes)),
        Op::Greater => compare(program, arg, arch, IF_GREATER, (yes, no)),
        Op::LessOrEqual => compare(program, arg, arch, IF_GREATER, (no, yes)),
        Op::GreaterOrEqual => compare(program, arg, arch, IF_GREATER_OR_EQUAL, (yes, no)),
        Op::Less => compare(program, arg, arch, IF_GREATER_OR_EQUAL, (no, yes)),
        Op::MaskedEqual => masked(program, arg, arch, yes, no),
    }
}

/// The two words of a value, the high one first.
fn words(value: u64) -> (u32, u32) {
    let bytes = value.to_be_bytes();
    let word =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    (word(0), word(4))
}

/// Where the low word of an argument is; the high one is 4 further. Both of our machines are little-endian.
fn place(arg: &Arg) -> u32 {
    ARGS + 8 * u32::from(arg.index)
}

fn compare(
    program: &mut Program,
    arg: &Arg,
    arch: Arch,
    code: u16,
    (yes, no): (Label, Label),
) -> Label {
    let (high, low) = words(arg.value);
    let entry = program.branch(code, low, yes, no);
    let entry = loaded(program, entry, place(arg));
    if arch.narrow() {
        return entry;
    }
    let entry = program.branch(IF_EQUAL, high, entry, no);
    let entry = if code == IF_EQUAL {
        entry
    } else {
        program.branch(IF_GREATER, high, yes, entry)
    };
    loaded(program, entry, place(arg) + 4)
}

fn masked(program: &mut Program, arg: &Arg, arch: Arch, yes: Label, no: Label) -> Label {
    let (mask_high, mask_low) = words(arg.value);
    let (high, low) = words(arg.value_two);
    let entry = program.branch(IF_EQUAL, low, yes, no);
    program.reach(entry, 0);
    program.before(AND, mask_low);
    let entry = program.before(LOAD, place(arg));
    if arch.narrow() || (mask_high == 0 && high == 0) {
        return entry;
    }
    let entry = program.branch(IF_EQUAL, high, entry, no);
    program.reach(entry, 0);
    program.before(AND, mask_high);
    program.before(LOAD, place(arg) + 4)
}

/// Loads a word and goes on at `entry`.
fn loaded(program: &mut Program, entry: Label, word: u32) -> Label {
    program.reach(entry, 0);
    program.before(LOAD, word)
}
