//! The shape of the house: who may know whom, and the few rules no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

/// Allowed edges between the project's crates (normal and build dependencies). `testkit` may use all, `failpoint` may
/// be used by all, `tare` joins everything. The reasons are in ARCHITECTURE.md.
const EDGES: &[(&str, &[&str])] = &[
    ("failpoint", &[]),
    ("spec", &[]),
    ("dockerfile", &[]),
    ("api", &["spec"]),
    ("kernel", &[]),
    ("protocol", &["spec", "kernel"]),
    ("dns", &[]),
    ("state", &["spec", "kernel"]),
    ("store", &["spec", "kernel", "state"]),
    ("registry", &["spec", "dns"]),
    ("network", &["spec", "kernel", "state"]),
    ("runtime", &["spec", "kernel"]),
    ("monitor", &["spec", "kernel", "protocol", "dns", "runtime"]),
    ("builder", &["spec", "dockerfile", "store"]),
    (
        "engine",
        &[
            "spec",
            "kernel",
            "protocol",
            "state",
            "store",
            "registry",
            "network",
            "builder",
            "dockerfile",
        ],
    ),
    ("server", &["api", "spec", "engine"]),
    ("client", &["api", "spec"]),
    ("xtask", &[]),
    ("e2e", &[]),
];

/// Crates of others that only these crates of ours may name as a dependency (tests may use what they like).
const OWNERS: &[(&str, &[&str])] = &[
    ("libc", &["kernel", "testkit"]),
    (
        "rustix",
        &[
            "kernel", "protocol", "store", "runtime", "monitor", "engine", "testkit",
        ],
    ),
    ("rusqlite", &["state"]),
    ("clap", &["tare"]),
    ("axum", &["server"]),
    ("anyhow", &["xtask", "testkit"]),
    (
        "tokio",
        &["registry", "builder", "engine", "server", "client", "tare"],
    ),
];

const FORBIDDEN_MODULES: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "impl", "types",
];

/// Checks everything and reports all findings at once.
///
/// # Errors
/// The findings.
pub(crate) fn run() -> Result<()> {
    let mut found = Vec::new();
    edges(&mut found)?;
    sources(&mut found)?;
    fail_points(&mut found)?;
    if !found.is_empty() {
        bail!("tidy:\n  {}", found.join("\n  "));
    }
    Ok(())
}

fn edges(found: &mut Vec<String>) -> Result<()> {
    let text = shell::output(
        "cargo",
        &["metadata", "--no-deps", "--offline", "--format-version=1"],
    )?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata has no packages")?;
    let ours: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let map = fs::read_to_string(shell::root().join("ARCHITECTURE.md")).unwrap_or_default();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        if !map.contains(&format!("`{name}`")) {
            found.push(format!("ARCHITECTURE.md does not mention `{name}`"));
        }
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap_or_default())?;
        if !manifest.contains("[lints]\nworkspace = true") {
            found.push(format!("{name}: Cargo.toml lacks [lints] workspace = true"));
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if dependency["kind"] == "dev" {
                continue;
            }
            let other = dependency["name"].as_str().unwrap_or_default();
            found.extend(edge(name, other, ours.contains(&other)));
        }
    }
    Ok(())
}

fn edge(from: &str, to: &str, ours: bool) -> Option<String> {
    if let Some((_, owners)) = OWNERS.iter().find(|(dependency, _)| *dependency == to)
        && !owners.contains(&from)
    {
        return Some(format!(
            "{from} may not depend on {to}: only {} may",
            owners.join(", ")
        ));
    }
    if !ours || to == "failpoint" || from == "tare" || from == "testkit" {
        return None;
    }
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == from) else {
        return Some(format!("{from} is not in the edge table"));
    };
    (!allowed.contains(&to)).then(|| format!("{from} → {to} is not an allowed edge"))
}

fn sources(found: &mut Vec<String>) -> Result<()> {
    for path in rust_files()? {
        let text = fs::read_to_string(&path)?;
        let shown = path
            .strip_prefix(shell::root())
            .unwrap_or(&path)
            .display()
            .to_string();
        let stem = path
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or_default();
        let folder = path
            .parent()
            .and_then(Path::file_name)
            .and_then(|s| s.to_str())
            .unwrap_or_default();
        if FORBIDDEN_MODULES.contains(&stem) || FORBIDDEN_MODULES.contains(&folder) {
            found.push(format!("{shown}: the name says nothing of what is inside"));
        }
        if stem == "lib" && !text.starts_with("//!") {
            found.push(format!("{shown}: a crate's first line says what it is"));
        }
        let room_of_unsafe = shown.starts_with("crates/kernel/src/raw")
            || shown.starts_with("crates/testkit/")
            || shown.contains("/tests/");
        for (number, line) in text.lines().enumerate() {
            let number = number + 1;
            let code = line.split("//").next().unwrap_or_default();
            let is_unsafe = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"]
                .iter()
                .any(|w| code.contains(w));
            if is_unsafe && !room_of_unsafe && !shown.starts_with("xtask") {
                found.push(format!("{shown}:{number}: unsafe is kernel::raw's"));
            }
            let open = ["TO", "FIX"]
                .iter()
                .zip(["DO", "ME"])
                .any(|(a, b)| line.contains(&format!("{a}{b}")));
            if open && !line.contains("issue ") {
                found.push(format!("{shown}:{number}: a thing to do names its issue"));
            }
        }
    }
    Ok(())
}

/// Every point of the table stands in some source, so that a crash test can visit it.
fn fail_points(found: &mut Vec<String>) -> Result<()> {
    let table = fs::read_to_string(shell::root().join("crates/failpoint/src/lib.rs"))?;
    let table = table
        .split_once("POINTS: &[&str] = &[")
        .context("no table of fail points")?
        .1;
    let table = table
        .split_once("];")
        .context("no end of the table of fail points")?
        .0;
    let mut text = String::new();
    for path in rust_files()?
        .iter()
        .filter(|p| !p.ends_with("crates/failpoint/src/lib.rs"))
    {
        text.push_str(&fs::read_to_string(path)?);
    }
    for name in table.split('"').skip(1).step_by(2) {
        if !text.contains(&format!("failpoint!(\"{name}\")")) {
            found.push(format!(
                "fail point {name} is in the table and nowhere else"
            ));
        }
    }
    Ok(())
}

fn rust_files() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for top in ["crates", "tests", "xtask", "benches"] {
        walk(&shell::root().join(top), &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.file_name() != "target" {
            walk(&entry.path(), files)?;
        } else if entry.path().extension().is_some_and(|e| e == "rs") {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        super::run().unwrap();
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_refused() {
        assert!(super::edge("kernel", "spec", true).is_some());
        assert!(super::edge("server", "store", true).is_some());
        assert!(super::edge("store", "rusqlite", false).is_some());
        assert!(super::edge("store", "state", true).is_none());
    }
}
