//! Security options. What can't be enforced is refused, never left out (CVE-2025-65105).

use crate::error::{Error, Result};

/// What the security options say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Security {
    pub(super) no_new_privileges: bool,
    pub(super) filter: Filter,
    /// Whether the cgroup file system can be written.
    pub(super) writable_cgroups: bool,
    /// The AppArmor profile, if one is named.
    pub(super) apparmor: String,
}

/// Which system calls are allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    Default,
    /// All of them.
    None,
    /// Those of a profile, as JSON.
    Profile(String),
}

pub(super) fn parse(options: &[String]) -> Result<Security> {
    let mut security = Security {
        no_new_privileges: false,
        filter: Filter::Default,
        writable_cgroups: false,
        apparmor: String::new(),
    };
    for option in options {
        let invalid = || Error::invalid(format!("invalid --security-opt 1: \"{option}\""));
        if option == "no-new-privileges" {
            security.no_new_privileges = true;
            continue;
        }
        let (name, value) = option
            .split_once('=')
            .or_else(|| option.split_once(':'))
            .ok_or_else(invalid)?;
        match (name, value) {
            ("no-new-privileges", value) => {
                security.no_new_privileges = truth(value).ok_or_else(invalid)?;
            }
            ("writable-cgroups", value) => {
                security.writable_cgroups = truth(value).ok_or_else(invalid)?;
            }
            ("seccomp", "unconfined") => security.filter = Filter::None,
            ("seccomp", "builtin" | "default") => security.filter = Filter::Default,
            ("seccomp", profile) => security.filter = Filter::Profile(profile.to_owned()),
            // Nothing of the kind is in force here, which is what is asked for.
            ("apparmor", "unconfined") | ("label", "disable") => {}
            ("apparmor", profile) => profile.clone_into(&mut security.apparmor),
            ("label", _) => {
                return Err(Error::unsupported(format!(
                    "security option {option} can't be enforced: {name} is not supported yet"
                )));
            }
            _ => return Err(invalid()),
        }
    }
    Ok(security)
}

fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" => Some(true),
        "false" | "0" | "f" => Some(false),
        _ => None,
    }
}
