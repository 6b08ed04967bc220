//! What must be as before when a test is over: mounts, links, firewall rules, cgroups, processes, namespaces, loop
//! devices. Files and database rows are [`crate::Host`]'s to check, because it knows which of them are caches.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The state of the machine as one test can see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    facts: BTreeSet<String>,
}

impl Snapshot {
    /// Looks at everything. `cgroup` is the test's own parent cgroup (`/tare-test-…`).
    #[must_use]
    pub fn take(cgroup: &str) -> Self {
        let mut facts = BTreeSet::new();
        facts.extend(mounts());
        facts.extend(links());
        facts.extend(rules());
        facts.extend(cgroups(cgroup));
        facts.extend(processes());
        facts.extend(loop_devices(cgroup));
        Self { facts }
    }

    /// What is there now and was not in `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Vec<String> {
        self.facts.difference(&before.facts).cloned().collect()
    }
}

fn mounts() -> impl Iterator<Item = String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points: Vec<String> = text
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let point = words.nth(4).unwrap_or_default().to_owned();
            let kind = line.split_once(" - ").map_or("", |(_, rest)| rest);
            format!("mount {point} ({kind})")
        })
        .collect();
    points.into_iter()
}

fn links() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    text.lines()
        .skip(2)
        .filter_map(|l| l.split_once(':'))
        .map(|(name, _)| format!("link {}", name.trim()))
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the nft command is the independent witness"
)]
fn rules() -> Vec<String> {
    let Ok(out) = Command::new("nft").args(["list", "ruleset"]).output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .map(|l| format!("nft {}", l.trim()))
        .collect()
}

/// Every directory below the test's own cgroup, in every hierarchy. The parent itself and `monitors` are kept by the
/// engine for the next container: caches.
fn cgroups(parent: &str) -> Vec<String> {
    let mut found = Vec::new();
    for root in cgroup_roots() {
        let top = root.join(parent.trim_start_matches('/'));
        walk_dirs(&top, &mut |dir| {
            if dir != top && dir.file_name().is_some_and(|n| n != "monitors") {
                found.push(format!("cgroup {}", dir.display()));
            }
        });
    }
    found
}

/// The mount points of all cgroup hierarchies, v1 and v2.
#[must_use]
pub fn cgroup_roots() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    text.lines()
        .filter(|l| l.contains(" - cgroup"))
        .filter_map(|l| l.split(' ').nth(4))
        .map(PathBuf::from)
        .collect()
}

/// Removes the cgroup `parent` and the empty cgroups below it, in every hierarchy.
pub fn remove_cgroups(parent: &str) {
    for root in cgroup_roots() {
        let mut dirs = Vec::new();
        walk_dirs(&root.join(parent.trim_start_matches('/')), &mut |dir| {
            dirs.push(dir.to_owned())
        });
        for dir in dirs.iter().rev() {
            drop(fs::remove_dir(dir));
        }
    }
}

fn walk_dirs(dir: &Path, visit: &mut impl FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    visit(dir);
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            walk_dirs(&entry.path(), visit);
        }
    }
}

/// Living processes of this pid namespace but the test and its init; with their namespaces, so that a process that
/// holds one is named with it. Zombies are the init's to reap.
fn processes() -> Vec<String> {
    let me = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let state = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.trim().chars().next());
        if pid == 1 || pid == me || matches!(state, None | Some('Z' | 'X')) {
            continue;
        }
        let argv = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let argv = String::from_utf8_lossy(&argv).replace('\0', " ");
        if argv.is_empty() {
            continue; // A kernel thread, in a guest without a pid namespace.
        }
        let netns = fs::read_link(entry.path().join("ns/net")).unwrap_or_default();
        found.push(format!("process {pid} {argv} ({})", netns.display()));
    }
    found
}

/// Loop devices are the whole machine's: those of the other tests that run, known by the folder that is named as
/// the cgroup is, don't count.
fn loop_devices(parent: &str) -> Vec<String> {
    let own = parent.trim_start_matches('/');
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        if let Ok(file) = fs::read_to_string(entry.path().join("loop/backing_file")) {
            if file.contains("/tare-test-") && !file.contains(own) {
                continue;
            }
            found.push(format!(
                "loop {} {}",
                entry.file_name().display(),
                file.trim()
            ));
        }
    }
    found
}
