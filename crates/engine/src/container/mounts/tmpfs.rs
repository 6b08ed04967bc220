//! Options of file systems in memory.

use crate::error::{Error, Result};

/// Flags in pairs: the later one of a pair counts.
const PAIRS: [(&str, &str); 9] = [
    ("ro", "rw"),
    ("nosuid", "suid"),
    ("nodev", "dev"),
    ("noexec", "exec"),
    ("sync", "async"),
    ("noatime", "atime"),
    ("nodiratime", "diratime"),
    ("norelatime", "relatime"),
    ("nostrictatime", "strictatime"),
];
const SETTINGS: [&str; 6] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks"];
const DEFAULTS: [&str; 3] = ["noexec", "nosuid", "nodev"];

/// Mount options from those that a user wrote, over the defaults.
pub(super) fn options(text: &str) -> Result<Vec<String>> {
    let mut all: Vec<String> = DEFAULTS.map(str::to_owned).to_vec();
    for option in text.split(',').filter(|o| !o.is_empty()) {
        let name = option.split_once('=').map(|(name, _)| name);
        let known = match name {
            Some(name) => SETTINGS.contains(&name),
            None => PAIRS.iter().any(|(a, b)| option == *a || option == *b),
        };
        if !known {
            return Err(Error::invalid(format!(
                "invalid tmpfs option [\"{option}\"]"
            )));
        }
        all.retain(|have| !replaces(option, have));
        all.push(option.to_owned());
    }
    Ok(all)
}

fn replaces(new: &str, old: &str) -> bool {
    let name = |o: &str| o.split_once('=').map(|(name, _)| name.to_owned());
    let pair = |a: &str, b: &str| PAIRS.contains(&(a, b)) || PAIRS.contains(&(b, a));
    new == old || pair(new, old) || (name(new).is_some() && name(new) == name(old))
}

/// Mount options from a size and a mode.
pub(super) fn sized(size: i64, mode: u32) -> Vec<String> {
    let mut all: Vec<String> = DEFAULTS.map(str::to_owned).to_vec();
    if size > 0 {
        all.push(format!("size={size}"));
    }
    if mode != 0 {
        all.push(format!("mode={mode:o}"));
    }
    all
}
