//! Profiles and calls by chance: the program does what the profile means.

use proptest::prelude::*;

use super::super::{Action, Arch, Arg, Op, Profile, Rule, table};
use super::{Call, Meaning, run};

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Allow),
        Just(Action::Log),
        (0..4096_u16).prop_map(Action::Errno),
        Just(Action::Trap),
        any::<u16>().prop_map(Action::Trace),
        Just(Action::Notify),
        Just(Action::KillThread),
        Just(Action::KillProcess),
    ]
}

/// Values that lie near each other, so that comparisons go either way.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..4_u64,
        (0..4_u64).prop_map(|low| low << 32),
        (0..4_u64).prop_map(|low| u64::MAX - low),
        any::<u64>(),
    ]
}

fn arg() -> impl Strategy<Value = Arg> {
    let op = prop::sample::select(vec![
        Op::NotEqual,
        Op::Less,
        Op::LessOrEqual,
        Op::Equal,
        Op::GreaterOrEqual,
        Op::Greater,
        Op::MaskedEqual,
    ]);
    (0..6_u8, value(), value(), op).prop_map(|(index, value, value_two, op)| Arg {
        index,
        value,
        value_two,
        op,
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        10 => (0..table::SYSCALLS.len()).prop_map(|row| table::SYSCALLS[row].0.to_owned()),
        1 => "[a-z_]{0,12}",
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let names = prop::collection::vec(name(), 0..20);
    let args = prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(arg(), 1..4)];
    (names, action(), args).prop_map(|(names, action, args)| Rule {
        names,
        action,
        args,
    })
}

fn profile() -> impl Strategy<Value = Profile> {
    let architectures = prop::collection::vec(prop::sample::select(Arch::ALL.to_vec()), 0..4);
    let rules = prop::collection::vec(rule(), 0..8);
    (action(), architectures, rules).prop_map(|(default, architectures, rules)| Profile {
        default,
        architectures,
        rules,
    })
}

fn call() -> impl Strategy<Value = (Arch, u32, [u64; 6])> {
    let number = prop_oneof![0..600_u32, any::<u32>()];
    let args = [value(), value(), value(), value(), value(), value()];
    (prop::sample::select(Arch::ALL.to_vec()), number, args)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_program_does_what_the_profile_means(
        profile in profile(),
        native in prop::sample::select(vec![Arch::X86_64, Arch::Aarch64]),
        calls in prop::collection::vec(call(), 200),
    ) {
        let Ok(filter) = profile.compile_for(native) else {
            // Too long, which the kernel would refuse too.
            return Ok(());
        };
        prop_assert!(filter.instructions().len() <= 4096);
        // x32 is a part of x86-64, which the caller must have too.
        let wide = native == Arch::X86_64 || profile.architectures.contains(&Arch::X86_64);
        for (arch, number, args) in calls.into_iter().filter(|(arch, ..)| wide || *arch != Arch::X32) {
            // The bit of x32 is what tells the two apart; above it the kernel has no calls at all.
            let number = number & (super::super::X32_BIT - 1);
            let number = match arch {
                Arch::X32 => number | super::super::X32_BIT,
                _ => number,
            };
            let call = Call { number, arch: arch.audit(), args };
            let meant = Meaning::new(&profile, native, arch).of(&call).verdict();
            prop_assert_eq!(run(filter.instructions(), &call), meant, "{:?} {}", arch, number);
        }
    }
}
