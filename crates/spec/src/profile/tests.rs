use std::collections::BTreeSet;

use serde::Deserialize;

use super::{CAPABILITIES, capabilities, default_spec, device_rules, seccomp_for};
use crate::runtime::{Action, Arg, Seccomp};

/// Docker's own file, whose rules have conditions.
#[derive(Deserialize)]
struct Profile {
    syscalls: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(flatten)]
    rule: crate::runtime::Syscall,
    #[serde(default)]
    includes: Condition,
    #[serde(default)]
    excludes: Condition,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    caps: Vec<String>,
    arches: Vec<String>,
}

type Fact = (String, String, Option<u32>, String);

fn fact(name: &str, action: Action, errno: Option<u32>, args: &[Arg]) -> Fact {
    (
        name.to_owned(),
        format!("{action:?}"),
        errno,
        format!("{args:?}"),
    )
}

fn dockers(arch: &str, caps: &[&str]) -> BTreeSet<Fact> {
    let text = include_str!("../../test_data/profile/moby-seccomp.json");
    let profile: Profile = serde_json::from_str(text).unwrap();
    let has = |c: &String| caps.contains(&c.as_str());
    let mut facts = BTreeSet::new();
    for Rule {
        rule,
        includes,
        excludes,
    } in profile.syscalls
    {
        let included = includes.caps.iter().all(has)
            && (includes.arches.is_empty() || includes.arches.iter().any(|a| a == arch));
        let excluded = excludes.caps.iter().any(has) || excludes.arches.iter().any(|a| a == arch);
        if included && !excluded {
            facts.extend(
                rule.names
                    .iter()
                    .map(|n| fact(n, rule.action, rule.errno_ret, &rule.args)),
            );
        }
    }
    facts
}

fn ours(filter: &Seccomp) -> BTreeSet<Fact> {
    let mut facts = BTreeSet::new();
    for rule in &filter.syscalls {
        facts.extend(
            rule.names
                .iter()
                .map(|n| fact(n, rule.action, rule.errno_ret, &rule.args)),
        );
    }
    facts
}

#[test]
fn the_filter_is_dockers_for_every_capability_and_architecture() {
    let all = [
        "CAP_DAC_READ_SEARCH",
        "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT",
        "CAP_SYS_CHROOT",
        "CAP_SYS_MODULE",
        "CAP_SYS_PACCT",
        "CAP_SYS_PTRACE",
        "CAP_SYS_RAWIO",
        "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG",
        "CAP_SYS_NICE",
        "CAP_SYSLOG",
        "CAP_BPF",
        "CAP_PERFMON",
    ];
    let mut sets: Vec<Vec<&str>> = all.iter().map(|c| vec![*c]).collect();
    sets.extend([Vec::new(), CAPABILITIES.to_vec(), all.to_vec()]);
    let arches = [
        ("x86_64", "amd64"),
        ("aarch64", "arm64"),
        ("riscv64", "riscv64"),
        ("s390x", "s390x"),
        ("powerpc64", "ppc64le"),
        ("loongarch64", "loong64"),
    ];
    for (rust, go) in arches {
        for caps in &sets {
            assert_eq!(
                ours(&seccomp_for(rust, caps)),
                dockers(go, caps),
                "{rust} {caps:?}"
            );
        }
    }
}

#[test]
fn only_root_holds_capabilities_and_none_is_inherited() {
    for (uid, held) in [(0, 14), (1000, 0)] {
        let sets = capabilities(&CAPABILITIES, uid);
        assert_eq!(sets.bounding.len(), 14);
        assert_eq!((sets.effective.len(), sets.permitted.len()), (held, held));
        assert!(sets.inheritable.is_empty() && sets.ambient.is_empty());
    }
}

#[test]
fn devices_are_denied_first() {
    let rules = device_rules();
    assert!(!rules[0].allow && rules[0].major.is_none());
    assert!(rules[1..].iter().all(|r| r.allow));
    assert_eq!(rules.len(), 12);
}

#[test]
fn the_default_configuration_survives_a_round_trip() {
    let spec = default_spec();
    let text = serde_json::to_string(&spec).unwrap();
    assert_eq!(
        serde_json::from_str::<crate::runtime::Spec>(&text).unwrap(),
        spec
    );
}
