//! Debian packages as a source of files: planned and fetched by apt into `target/fixtures/packages`, never installed.
//!
//! apt plans against an empty system of its own, so that what the host has installed plays no part, and keeps its caches
//! in our folder: nothing of the host changes and no right is needed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// A fetched package.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// Debian's name of it.
    pub(crate) name: String,
    /// The archive.
    pub(crate) deb: PathBuf,
}

impl Package {
    /// The package's files as a tar stream.
    pub(crate) fn files(&self) -> Result<Vec<u8>> {
        let deb = self.deb.to_str().context("path is not UTF-8")?;
        shell::bytes("dpkg-deb", &["--fsys-tarfile", deb])
    }

    /// The package's control paragraph.
    pub(crate) fn control(&self) -> Result<String> {
        let deb = self.deb.to_str().context("path is not UTF-8")?;
        shell::output("dpkg-deb", &["-f", deb])
    }
}

/// The folder that holds everything fetched and everything made of it.
pub(crate) fn fixtures() -> PathBuf {
    shell::root().join("target/fixtures")
}

/// Fetches `wanted` and all that they depend on, but for those that `skip` names; sorted by name.
pub(crate) fn fetch_with_dependencies(
    wanted: &[&str],
    skip: &dyn Fn(&str) -> bool,
) -> Result<Vec<Package>> {
    let mut plan = plan(wanted)?;
    plan.retain(|(name, _)| !skip(name));
    fetch(&plan)
}

/// Fetches exactly the packages named.
pub(crate) fn fetch_only(wanted: &[&str]) -> Result<Vec<Package>> {
    let mut plan = plan(wanted)?;
    plan.retain(|(name, _)| wanted.contains(&name.as_str()));
    fetch(&plan)
}

/// Name and version of `wanted` and all that they depend on.
pub(crate) fn plan(wanted: &[&str]) -> Result<Vec<(String, String)>> {
    for program in ["apt-get", "dpkg-deb"] {
        if !shell::has(program) {
            bail!(
                "{program} is missing: fixtures are made from Debian's packages, so this needs a Debian host"
            );
        }
    }
    let mut args = vec!["-s", "install", "--no-install-recommends"];
    args.extend(wanted);
    let text = match apt(&args) {
        Ok(text) => text,
        Err(_) => {
            refresh()?;
            apt(&args).with_context(|| {
                format!("the configured package sources lack {}", wanted.join(" "))
            })?
        }
    };
    let mut plan: Vec<_> = text.lines().filter_map(planned).collect();
    plan.sort();
    if plan.is_empty() {
        bail!("apt plans nothing for {}", wanted.join(" "));
    }
    Ok(plan)
}

/// `Inst bash (5.2.15-2+b13 Debian:12.15/oldstable [amd64])` → name and version.
fn planned(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("Inst ")?;
    let (name, rest) = rest.split_once(' ')?;
    let version = rest.split('(').nth(1)?.split(' ').next()?;
    Some((name.to_owned(), version.to_owned()))
}

fn fetch(plan: &[(String, String)]) -> Result<Vec<Package>> {
    let dir = fixtures().join("packages");
    fs::create_dir_all(&dir)?;
    let missing: Vec<String> = plan
        .iter()
        .filter(|p| find(&dir, p).is_none())
        .map(|(name, version)| format!("{name}={version}"))
        .collect();
    if !missing.is_empty() {
        shell::say(&format!(
            "fetching {} Debian packages into target/fixtures/packages (nothing is installed)",
            missing.len()
        ));
        let mut args = vec!["download", "-q=2"];
        args.extend(missing.iter().map(String::as_str));
        if apt(&args).is_err() {
            refresh()?;
            apt(&args)?;
        }
    }
    plan.iter()
        .map(|planned| {
            let deb = find(&dir, planned)
                .with_context(|| format!("apt did not bring {} {}", planned.0, planned.1))?;
            Ok(Package {
                name: planned.0.clone(),
                deb,
            })
        })
        .collect()
}

fn find(dir: &Path, (name, version): &(String, String)) -> Option<PathBuf> {
    let prefix = format!("{name}_{}_", version.replace(':', "%3a"));
    let entry = fs::read_dir(dir).ok()?.flatten().find(|entry| {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        file.starts_with(&prefix) && file.ends_with(".deb")
    })?;
    Some(entry.path())
}

/// The folders `PREFIX<pid>` in `dir` whose process is gone: left by a chore that was killed.
pub(crate) fn left_by_the_dead(dir: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix(prefix)
            .and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            left.push(entry.path());
        }
    }
    Ok(left)
}

/// Fetches the package lists into a folder of our own, when the host's are missing or old.
fn refresh() -> Result<()> {
    shell::say("fetching package lists into target/fixtures/apt");
    fs::create_dir_all(fixtures().join("apt/lists/partial"))?;
    apt(&["update", "-q=2"]).map(drop)
}

/// apt-get with its state and caches in our folder. Runs in the folder that downloads go to.
fn apt(args: &[&str]) -> Result<String> {
    let state = fixtures().join("apt");
    fs::create_dir_all(state.join("cache/archives/partial"))?;
    let empty = state.join("status");
    if !empty.exists() {
        fs::File::create(&empty)?;
    }
    let mut command = shell::command("apt-get", &[]);
    command
        .arg("-o")
        .arg(format!("Dir::State::status={}", empty.display()))
        .arg("-o")
        .arg(format!("Dir::Cache={}", state.join("cache").display()));
    let lists = state.join("lists");
    if lists.exists() {
        command
            .arg("-o")
            .arg(format!("Dir::State::lists={}", lists.display()));
    }
    command
        // As root, apt would drop to a user who may not write to our folder.
        .args(["-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"])
        .args(args)
        .env("LC_ALL", "C");
    let packages = fixtures().join("packages");
    fs::create_dir_all(&packages)?;
    command.current_dir(packages);
    let output = command.output().context("start apt-get")?;
    if !output.status.success() {
        bail!(
            "apt-get {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_of_apts_plan_is_read() {
        let line = "Inst libcap2 (1:2.66-4+b1 Debian:12.15/oldstable [amd64]) []";
        assert_eq!(
            super::planned(line),
            Some(("libcap2".to_owned(), "1:2.66-4+b1".to_owned()))
        );
        let line = "Inst tar [1.34] (1.35 Debian:13 [amd64])";
        assert_eq!(
            super::planned(line),
            Some(("tar".to_owned(), "1.35".to_owned()))
        );
        assert_eq!(super::planned("Conf tar (1.35 Debian:13 [amd64])"), None);
    }
}
