//! The OCI runtimes alone: one bundle, run whole and step by step, entered, a hundred at once, and weighed.
#![expect(clippy::disallowed_methods, reason = "a runtime is a command")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::arena::Arena;
use super::contender::{Job, release};
use super::report::Row;
use crate::tree::place;
use crate::{images, shell};

/// In the order of the table.
const NAMES: [&str; 4] = ["tare-runtime", "crun", "runc", "youki"];

/// The runtimes and the bundle that they run.
pub(super) struct Runtimes {
    programs: Vec<(String, PathBuf)>,
    bundle: PathBuf,
    spec: Value,
    cgroup: String,
}

/// Rounds of the single steps.
const ROUNDS: usize = 40;

/// How many run at once.
const CROWD: usize = 100;

impl Runtimes {
    /// Makes the bundle. Tare's is there only where `with_tare` says so, youki where `target/bench/youki` is a build of it.
    pub(super) fn set_up(arena: &Arena, with_tare: bool) -> Result<Self> {
        let bundle = arena.dir.join("bundle");
        let root = bundle.join("rootfs");
        fs::create_dir_all(&root)?;
        let path = |path: &PathBuf| path.display().to_string();
        let layer = path(&images::busybox_root()?);
        shell::output("tar", &["-xf", &layer, "-C", &path(&root)])?;
        shell::output("/usr/sbin/runc", &["spec", "--bundle", &path(&bundle)])?;
        let mut spec: Value = serde_json::from_slice(&fs::read(bundle.join("config.json"))?)?;
        spec["process"]["terminal"] = json!(false);
        let mut programs = Vec::new();
        for name in NAMES {
            let program = match name {
                "tare-runtime" if !with_tare => continue,
                "tare-runtime" => release(name)?,
                "crun" => PathBuf::from("/usr/bin/crun"),
                "youki" => shell::root().join("target/bench/youki"),
                _ => PathBuf::from("/usr/sbin/runc"),
            };
            if program.is_file() {
                programs.push((name.to_owned(), program));
            }
        }
        Ok(Self {
            programs,
            bundle,
            spec,
            cgroup: format!("/{}/runtime", arena.cgroup),
        })
    }

    /// Lets the bundle run `args` in the cgroup `group`.
    fn configure(&self, args: &[&str], group: &str) -> Result<()> {
        let mut spec = self.spec.clone();
        spec["process"]["args"] = json!(args);
        spec["linux"]["cgroupsPath"] = json!(format!("{}/{group}", self.cgroup));
        place(&self.bundle.join("config.json"), |file| {
            Ok(file.write_all(spec.to_string().as_bytes())?)
        })
    }

    fn state(name: &str) -> String {
        format!("/run/bench-{name}")
    }

    fn jobs(&self, args: &[&str]) -> Vec<Job> {
        let job = |(name, program): &(String, PathBuf)| {
            let state = Self::state(name);
            let all = [&["--root", &state], args].concat();
            Job {
                name: name.clone(),
                program: program.clone(),
                args: all.iter().map(|&a| a.to_owned()).collect(),
                env: Vec::new(),
            }
        };
        self.programs.iter().map(job).collect()
    }

    fn bundle(&self) -> Result<&str> {
        self.bundle.to_str().context("path is not UTF-8")
    }

    /// One `run` of each.
    pub(super) fn whole(&self) -> Result<Vec<Job>> {
        self.configure(&["true"], "whole")?;
        Ok(self.jobs(&["run", "--bundle", self.bundle()?, "bench"]))
    }

    /// The container that [`Runtimes::execs`] enters, of each.
    pub(super) fn begin(&self) -> Result<()> {
        for (name, program) in &self.programs {
            self.configure(&["sleep", "100000"], &format!("exec-{name}"))?;
            let bundle = self.bundle()?;
            for args in [
                &["create", "--bundle", bundle, "exec"][..],
                &["start", "exec"],
            ] {
                call(program, name, args)?;
            }
        }
        Ok(())
    }

    /// One `exec` of each.
    pub(super) fn execs(&self) -> Vec<Job> {
        self.jobs(&["exec", "exec", "true"])
    }

    /// Ends what [`Runtimes::begin`] began.
    pub(super) fn end(&self) -> Result<()> {
        for (name, program) in &self.programs {
            call(program, name, &["delete", "--force", "exec"])?;
        }
        Ok(())
    }

    /// Create, start, wait and delete, each with its median.
    pub(super) fn steps(&self) -> Result<Vec<Row>> {
        self.configure(&["true"], "steps")?;
        let mut all = vec![[const { Vec::new() }; 5]; self.programs.len()];
        for _ in 0..ROUNDS {
            for ((name, program), times) in self.programs.iter().zip(&mut all) {
                let step = self.step_by_step(name, program)?;
                for (times, time) in times.iter_mut().zip(step) {
                    times.push(time);
                }
            }
        }
        let rows = self.programs.iter().zip(all).map(|((name, _), times)| {
            let figures = ["all", "create", "start", "wait", "delete"];
            Row {
                name: name.clone(),
                figures: figures
                    .into_iter()
                    .zip(times)
                    .map(|(figure, times)| (figure.to_owned(), at(times, 0.5)))
                    .collect(),
            }
        });
        Ok(rows.collect())
    }

    fn step_by_step(&self, name: &str, program: &Path) -> Result<[f64; 5]> {
        let pid_file = self.bundle.join("pid");
        let pid_path = pid_file.to_str().context("path is not UTF-8")?;
        let create = [
            "create",
            "--bundle",
            self.bundle()?,
            "--pid-file",
            pid_path,
            "steps",
        ];
        let created = timed(|| call(program, name, &create))?;
        let pid = fs::read_to_string(&pid_file)?;
        let started = timed(|| call(program, name, &["start", "steps"]))?;
        let waited = timed(|| ended(&pid))?;
        let deleted = timed(|| call(program, name, &["delete", "steps"]))?;
        let sum = created + started + waited + deleted;
        Ok([sum, created, started, waited, deleted])
    }

    /// A hundred of each begun at once: how long one takes.
    pub(super) fn crowd(&self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for (name, program) in &self.programs {
            let state = Self::state(name);
            // Each has a cgroup of its own: that of its bundle's name.
            self.configure(&["true"], "crowd")?;
            let bundles = (0..CROWD)
                .map(|n| self.copy(n))
                .collect::<Result<Vec<_>>>()?;
            let start = Instant::now();
            let runs: Vec<_> = bundles
                .iter()
                .enumerate()
                .map(|(n, bundle)| {
                    let mut command = quiet(program);
                    command.args(["--root", &state, "run", "--bundle"]);
                    command.arg(bundle).arg(format!("crowd-{n}"));
                    std::thread::spawn(move || {
                        let start = Instant::now();
                        let status = command.status();
                        (status, start.elapsed())
                    })
                })
                .collect();
            let mut times = Vec::new();
            for run in runs {
                let (status, time) = run
                    .join()
                    .map_err(|_| anyhow::anyhow!("a thread panicked"))?;
                let status = status?;
                ensure!(status.success(), "{name} among {CROWD}: {status}");
                times.push(time.as_secs_f64() * 1e3);
            }
            let all = start.elapsed().as_secs_f64() * 1e3;
            rows.push(Row {
                name: name.clone(),
                figures: vec![
                    ("p50".to_owned(), at(times.clone(), 0.5)),
                    ("p99".to_owned(), at(times, 0.99)),
                    ("all".to_owned(), all),
                ],
            });
        }
        Ok(rows)
    }

    fn copy(&self, number: usize) -> Result<PathBuf> {
        let bundle = self.bundle.with_file_name(format!("bundle-{number}"));
        fs::create_dir_all(&bundle)?;
        let mut spec = self.spec.clone();
        spec["process"]["args"] = json!(["true"]);
        spec["root"]["path"] = json!(self.bundle.join("rootfs"));
        spec["linux"]["cgroupsPath"] = json!(format!("{}/crowd-{number}", self.cgroup));
        place(&bundle.join("config.json"), |file| {
            Ok(file.write_all(spec.to_string().as_bytes())?)
        })?;
        Ok(bundle)
    }

    /// The most memory that any process of a `run` has, in MiB.
    pub(super) fn weight(&self) -> Result<Vec<Row>> {
        self.configure(&["true"], "weight")?;
        let busybox = images::busybox_binary()?;
        let mut rows = Vec::new();
        for (name, program) in &self.programs {
            let output = Command::new(&busybox)
                .args(["time", "-v"])
                .arg(program)
                .args([
                    "--root",
                    &Self::state(name),
                    "run",
                    "--bundle",
                    self.bundle()?,
                    "weight",
                ])
                .output()?;
            let text = String::from_utf8_lossy(&output.stderr);
            let line = text
                .lines()
                .find(|l| l.contains("Maximum resident set size"));
            let kib = line.and_then(|l| l.rsplit(' ').next()?.parse::<f64>().ok());
            let kib = kib.with_context(|| format!("time -v of {name} says: {text}"))?;
            rows.push(Row {
                name: name.clone(),
                figures: vec![("peak".to_owned(), kib / 1024.0)],
            });
        }
        Ok(rows)
    }
}

fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn call(program: &Path, name: &str, args: &[&str]) -> Result<()> {
    let status = quiet(program)
        .args(["--root", &Runtimes::state(name)])
        .args(args)
        .status()?;
    ensure!(status.success(), "{name} {}: {status}", args.join(" "));
    Ok(())
}

fn timed(what: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    what()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Waits until the process, which is nobody's child here, has ended.
fn ended(pid: &str) -> Result<()> {
    let stat = format!("/proc/{pid}/stat");
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let text = File::open(&stat).and_then(std::io::read_to_string);
        let state = text
            .as_ref()
            .ok()
            .and_then(|t| t.rsplit_once(") "))
            .map(|t| t.1);
        if state.is_none_or(|s| s.starts_with(['Z', 'X'])) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "process {pid} does not end");
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// The value below which `part` of `times` are.
fn at(mut times: Vec<f64>, part: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let index = (times.len() as f64 * part) as usize;
    times[index.min(times.len() - 1)]
}
