//! `features`: what a configuration may ask, as the specification's features.md has it.

use std::process::ExitCode;

use kernel::capability::CapSet;
use serde_json::{Value, json};
use spec::runtime::{Arch, Operator};

use crate::args::{Given, Order};
use crate::commands::Command;
use crate::fault::{Fault, Result};
use crate::{Cx, log, ps};

pub(crate) const COMMAND: Command = Command {
    name: "features",
    arguments: "",
    about: "tell as JSON what a configuration may ask",
    details: "",
    flags: &[],
    order: Order::Anywhere,
    run: features,
};

fn features(_: &Cx, given: &Given) -> Result<ExitCode> {
    given.nothing()?;
    let text = serde_json::to_string_pretty(&all()).map_err(Fault::at("write features"))?;
    log::out(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn all() -> Value {
    let known = runtime::known();
    let enabled = |enabled: bool| json!({ "enabled": enabled });
    let capabilities: Vec<String> = CapSet::all().iter().map(|c| c.to_string()).collect();
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": spec::runtime::VERSION,
        "hooks": known.hooks,
        "mountOptions": known.mount_options,
        "linux": {
            "namespaces": known.namespaces,
            "capabilities": capabilities,
            "cgroup": {
                "v1": true,
                "v2": true,
                "systemd": known.systemd,
                "systemdUser": false,
                "rdma": known.rdma,
            },
            "seccomp": {
                "enabled": true,
                "actions": known.actions,
                "operators": OPERATORS,
                "archs": architectures(),
                "knownFlags": known.filter_flags,
                "supportedFlags": known.filter_flags,
            },
            "apparmor": enabled(true),
            "selinux": enabled(true),
            "intelRdt": enabled(known.intel_rdt),
            "memoryPolicy": {
                "modes": known.memory_policy_modes,
                "flags": known.memory_policy_flags,
            },
            "mountExtensions": { "idmap": enabled(known.id_mapped_mounts) },
            "netDevices": enabled(known.net_devices),
        },
        "annotations": {
            "io.tare.version": env!("CARGO_PKG_VERSION"),
            // Callers of runc look here; the program that does it must be there too.
            "org.opencontainers.runc.checkpoint.enabled": ps::program("criu").is_some().to_string(),
        },
        "potentiallyUnsafeConfigAnnotations": ["org.criu.config"],
    })
}

const OPERATORS: [Operator; 7] = [
    Operator::Equal,
    Operator::Greater,
    Operator::GreaterOrEqual,
    Operator::Less,
    Operator::LessOrEqual,
    Operator::MaskedEqual,
    Operator::NotEqual,
];

/// Those that a filter judges here; others in a profile are passed over, since their programs can't run.
fn architectures() -> &'static [Arch] {
    if cfg!(target_arch = "x86_64") {
        &[Arch::X86, Arch::X86_64, Arch::X32]
    } else if cfg!(target_arch = "aarch64") {
        &[Arch::Arm, Arch::Aarch64]
    } else {
        &[]
    }
}
