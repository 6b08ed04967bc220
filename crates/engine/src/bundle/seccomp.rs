//! A filter of system calls in Docker's own format: rules with conditions on capabilities and architectures.

use std::collections::BTreeMap;

use serde::Deserialize;
use spec::runtime::{Action, Arch, Arg, Seccomp, Syscall};

use crate::error::{Error, Result};

/// The largest profile; Docker's own has 20 KiB.
const MAX: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: Action,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Vec<Arch>,
    #[serde(default)]
    arch_map: Vec<ArchMap>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    listener_path: String,
    #[serde(default)]
    syscalls: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: Arch,
    #[serde(default)]
    sub_architectures: Option<Vec<Arch>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    action: Action,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<Arg>>,
    #[serde(default)]
    includes: Option<Conditions>,
    #[serde(default)]
    excludes: Option<Conditions>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Conditions {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    /// `4.8`: every kernel that is supported is newer than any profile asks for.
    min_kernel: Option<String>,
}

/// The filter that `text` means for a container with these capabilities on this machine.
pub(super) fn resolve(text: &str, caps: &[String]) -> Result<Seccomp> {
    let failed = |why: String| Error::invalid(format!("decoding seccomp profile failed: {why}"));
    if text.len() > MAX {
        return Err(failed(format!("it has more than {MAX} bytes")));
    }
    let profile: Profile = serde_json::from_str(text).map_err(|e| failed(e.to_string()))?;
    if !profile.architectures.is_empty() && !profile.arch_map.is_empty() {
        return Err(failed("use either 'architectures' or 'archMap'".to_owned()));
    }
    if !profile.listener_path.is_empty() {
        return Err(failed("'listenerPath' is not supported".to_owned()));
    }
    let (arch, native) = machine();
    let mut architectures = profile.architectures;
    for map in profile.arch_map {
        if Some(map.architecture) == native {
            architectures.push(map.architecture);
            architectures.extend(map.sub_architectures.into_iter().flatten());
        }
    }
    let mut syscalls = Vec::new();
    for rule in profile.syscalls.into_iter().flatten() {
        if !applies(&rule, caps, arch) {
            continue;
        }
        let names = match (rule.name.is_empty(), rule.names) {
            (true, Some(names)) => names,
            (false, None) => vec![rule.name],
            _ => return Err(failed("use either 'name' or 'names'".to_owned())),
        };
        syscalls.push(Syscall {
            names,
            action: rule.action,
            errno_ret: rule.errno_ret,
            args: rule.args.unwrap_or_default(),
        });
    }
    Ok(Seccomp {
        default_action: profile.default_action,
        default_errno_ret: profile.default_errno_ret,
        architectures,
        flags: profile.flags,
        listener_path: String::new(),
        listener_metadata: String::new(),
        syscalls,
    })
}

fn applies(rule: &Rule, caps: &[String], arch: &str) -> bool {
    let has = |name: &String| caps.contains(name);
    let here = |name: &String| name == arch;
    if let Some(only) = &rule.includes {
        let caps_ok = only.caps.iter().flatten().all(has);
        let arch_ok = only
            .arches
            .as_ref()
            .is_none_or(|all| all.is_empty() || all.iter().any(here));
        if !caps_ok || !arch_ok {
            return false;
        }
    }
    if let Some(but) = &rule.excludes {
        let by_kernel = but.min_kernel.is_some();
        if by_kernel || but.caps.iter().flatten().any(has) || but.arches.iter().flatten().any(here)
        {
            return false;
        }
    }
    true
}

/// Go's name of this machine's architecture, and libseccomp's.
fn machine() -> (&'static str, Option<Arch>) {
    let names: BTreeMap<&str, (&str, Arch)> = BTreeMap::from([
        ("x86_64", ("amd64", Arch::X86_64)),
        ("aarch64", ("arm64", Arch::Aarch64)),
        ("arm", ("arm", Arch::Arm)),
        ("x86", ("386", Arch::X86)),
    ]);
    match names.get(std::env::consts::ARCH) {
        Some((go, arch)) => (go, Some(*arch)),
        None => (std::env::consts::ARCH, None),
    }
}
