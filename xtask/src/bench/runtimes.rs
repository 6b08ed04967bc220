//! The OCI runtimes alone: one bundle, `run` from its creation to its deletion.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::arena::Arena;
use super::contender::{Job, release};
use crate::tree::place;
use crate::{images, shell};

/// In the order of the table.
const NAMES: [&str; 3] = ["tare-runtime", "crun", "runc"];

/// One run of each runtime; of Tare's only where `with_tare` says so.
pub(super) fn jobs(arena: &Arena, with_tare: bool) -> Result<Vec<Job>> {
    let bundle = arena.dir.join("bundle");
    let root = bundle.join("rootfs");
    fs::create_dir_all(&root)?;
    let path = |path: &PathBuf| path.display().to_string();
    let layer = path(&images::busybox_root()?);
    shell::output("tar", &["-xf", &layer, "-C", &path(&root)])?;
    shell::output("/usr/sbin/runc", &["spec", "--bundle", &path(&bundle)])?;
    let config = bundle.join("config.json");
    let mut spec: Value = serde_json::from_slice(&fs::read(&config)?)?;
    spec["process"]["terminal"] = json!(false);
    spec["process"]["args"] = json!(["true"]);
    spec["linux"]["cgroupsPath"] = json!(format!("/{}/runtime/bench", arena.cgroup));
    fs::remove_file(&config)?;
    place(&config, |file| {
        Ok(file.write_all(spec.to_string().as_bytes())?)
    })?;
    let names = NAMES
        .iter()
        .filter(|name| with_tare || **name != "tare-runtime");
    names
        .map(|name| {
            let program = match *name {
                "tare-runtime" => release(name)?,
                "crun" => PathBuf::from("/usr/bin/crun"),
                _ => PathBuf::from("/usr/sbin/runc"),
            };
            let state = format!("/run/bench-{name}");
            let bundle = bundle.to_str().context("path is not UTF-8")?;
            let args = ["--root", &state, "run", "--bundle", bundle, "bench"];
            Ok(Job {
                name: (*name).to_owned(),
                program,
                args: args.map(str::to_owned).to_vec(),
                env: Vec::new(),
            })
        })
        .collect()
}
