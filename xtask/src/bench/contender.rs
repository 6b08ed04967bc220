//! Who takes part, and how each is told the same thing.
#![expect(clippy::disallowed_methods, reason = "a contender is a command")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::arena::Arena;
use crate::{images, shell};

/// In the order of the table.
pub(super) const NAMES: [&str; 4] = ["floor", "tare", "podman", "docker"];

/// One that can be measured, set up and loaded with the image.
#[derive(Debug)]
pub(super) struct Contender {
    name: String,
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    run_args: Vec<String>,
    daemon: Option<Child>,
}

/// A command to be measured, made anew for each run.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
}

impl Job {
    /// The command, quiet.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

impl Contender {
    /// Starts what must run, loads the image.
    pub(super) fn set_up(name: &str, arena: &Arena) -> Result<Self> {
        shell::say(&format!("setting up {name}"));
        match name {
            "floor" => floor(arena),
            "tare" => tare(arena),
            "podman" => podman(arena),
            "docker" => docker(arena),
            _ => bail!("no contender {name}"),
        }
    }

    /// For tables.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it can do more than one run.
    pub(super) fn is_engine(&self) -> bool {
        self.name != "floor"
    }

    /// `run --rm --network none busybox true`.
    pub(super) fn run_true(&self) -> Job {
        match self.is_engine() {
            true => {
                let mut args = vec!["run", "--rm"];
                args.extend(self.run_args.iter().map(String::as_str));
                args.extend(["busybox", "true"]);
                self.job(&args)
            }
            false => self.job(&[]),
        }
    }

    /// `exec CONTAINER true`.
    pub(super) fn exec_true(&self, container: &str) -> Job {
        self.job(&["exec", container, "true"])
    }

    /// Starts a container that sleeps.
    pub(super) fn start(&self, container: &str) -> Result<()> {
        let mut args = vec!["run", "-d", "--name", container];
        args.extend(self.run_args.iter().map(String::as_str));
        args.extend(["busybox", "sleep", "100000"]);
        self.must(&args)
    }

    /// Ends and removes containers.
    pub(super) fn remove(&self, containers: &[String]) -> Result<()> {
        let mut args = vec!["rm", "-f"];
        args.extend(containers.iter().map(String::as_str));
        self.must(&args)
    }

    /// Ends what was started.
    pub(super) fn stop(&mut self) -> Result<()> {
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        let pid = daemon.id().to_string();
        shell::output("kill", &[&pid])?;
        let end = Instant::now() + Duration::from_secs(20);
        while daemon.try_wait()?.is_none() {
            if Instant::now() > end {
                daemon.kill()?;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn job(&self, args: &[&str]) -> Job {
        let mut all = self.args.clone();
        all.extend(args.iter().map(|&arg| arg.to_owned()));
        Job {
            name: self.name.clone(),
            program: self.program.clone(),
            args: all,
            env: self.env.clone(),
        }
    }

    fn must(&self, args: &[&str]) -> Result<()> {
        let output = self
            .job(args)
            .command()
            .stderr(Stdio::piped())
            .output()
            .with_context(|| format!("start {}", self.name))?;
        ensure!(
            output.status.success(),
            "{} {}: {} {}",
            self.name,
            args.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }

    fn load(&self) -> Result<()> {
        let image = images::busybox()?;
        self.must(&["load", "-i", image.to_str().context("path is not UTF-8")?])
    }
}

fn owned(args: &[&str]) -> Vec<String> {
    args.iter().map(|&arg| arg.to_owned()).collect()
}

/// The layer is mounted before, as an engine that keeps layers as EROFS files has it.
fn floor(arena: &Arena) -> Result<Contender> {
    let (tree, layer, scratch) = (
        arena.dir.join("busybox"),
        arena.dir.join("layer"),
        arena.disk.join("floor"),
    );
    for dir in [&tree, &layer, &scratch] {
        fs::create_dir_all(dir)?;
    }
    let path = |path: &Path| path.display().to_string();
    let image = path(&arena.disk.join("busybox.erofs"));
    shell::output(
        "tar",
        &["-xf", &path(&images::busybox_root()?), "-C", &path(&tree)],
    )?;
    shell::output("mkfs.erofs", &["--quiet", &image, &path(&tree)])?;
    let attached = shell::output("mount", &["-t", "erofs", &image, &path(&layer)]);
    if attached.is_err() {
        shell::output(
            "mount",
            &["-t", "erofs", "-o", "loop", &image, &path(&layer)],
        )?;
    }
    make_cgroups(&arena.cgroup)?;
    Ok(Contender {
        name: "floor".to_owned(),
        program: shell::root().join("target/bench/floor"),
        args: vec![
            path(&layer),
            path(&scratch),
            arena.cgroup.clone(),
            "/bin/true".to_owned(),
        ],
        env: Vec::new(),
        run_args: Vec::new(),
        daemon: None,
    })
}

/// The parent of the floor's cgroups, which engines make for themselves.
fn make_cgroups(name: &str) -> Result<()> {
    let top = Path::new("/sys/fs/cgroup");
    if top.join("cgroup.controllers").exists() {
        return Ok(fs::create_dir_all(top.join(name))?);
    }
    for entry in fs::read_dir(top)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() || entry.file_name() == "unified" {
            continue;
        }
        let group = entry.path().join(name);
        fs::create_dir_all(&group)?;
        // A new cpuset is empty, and so would be all below it.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let from = entry.path().join(file);
            if from.exists() {
                File::options()
                    .write(true)
                    .open(group.join(file))?
                    .write_all(&fs::read(from)?)?;
            }
        }
    }
    Ok(())
}

/// A binary of the release build, beside which this program is built.
pub(super) fn release(name: &str) -> Result<PathBuf> {
    let debug = std::env::current_exe()?;
    let target = debug
        .ancestors()
        .nth(2)
        .context("xtask stands in no target folder")?;
    Ok(target.join("release").join(name))
}

fn tare(arena: &Arena) -> Result<Contender> {
    let env = [
        ("TARE_ROOT", format!("{}/tare", arena.disk())),
        ("TARE_RUN_ROOT", "/run/tare".to_owned()),
        ("TARE_CGROUP_PARENT", format!("/{}/tare", arena.cgroup)),
        ("TARE_HOST", "embedded".to_owned()),
    ];
    let tare = Contender {
        name: "tare".to_owned(),
        program: release("tare")?,
        args: Vec::new(),
        env: env.map(|(k, v)| (k.to_owned(), v)).to_vec(),
        run_args: owned(&["--network", "none"]),
        daemon: None,
    };
    tare.load()?;
    Ok(tare)
}

fn podman(arena: &Arena) -> Result<Contender> {
    let on_disk = |name: &str| format!("{}/{name}", arena.disk());
    let parent = format!("/{}/podman", arena.cgroup);
    let podman = Contender {
        name: "podman".to_owned(),
        program: PathBuf::from("/usr/bin/podman"),
        args: owned(&[
            "--root",
            &on_disk("podman"),
            "--runroot",
            "/run/podman",
            "--tmpdir",
            "/run/podman-tmp",
            "--cgroup-manager",
            "cgroupfs",
            "--events-backend",
            "none",
            "--runtime",
            "crun",
            "--storage-driver",
            "overlay",
        ]),
        env: Vec::new(),
        run_args: owned(&["--network", "none", "--cgroup-parent", &parent]),
        daemon: None,
    };
    podman.load()?;
    Ok(podman)
}

/// The client is the newest there is: the one on the PATH, or else Debian's.
fn docker(arena: &Arena) -> Result<Contender> {
    let log = File::create(arena.dir.join("dockerd.log"))?;
    let daemon = Command::new("/usr/sbin/dockerd")
        .args(["--data-root", &format!("{}/docker", arena.disk())])
        .args([
            "--exec-root",
            "/run/docker-exec",
            "--pidfile",
            "/run/dockerd.pid",
        ])
        .args(["-H", "unix:///run/bench-docker.sock"])
        .args(["--bridge=none", "--iptables=false", "--ip-masq=false"])
        .args(["--cgroup-parent", &format!("/{}/docker", arena.cgroup)])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("start dockerd")?;
    let local = Path::new("/usr/local/bin/docker");
    let program = if local.exists() {
        local
    } else {
        Path::new("/usr/bin/docker")
    };
    let docker = Contender {
        name: "docker".to_owned(),
        program: program.to_owned(),
        args: Vec::new(),
        env: vec![(
            "DOCKER_HOST".to_owned(),
            "unix:///run/bench-docker.sock".to_owned(),
        )],
        run_args: owned(&["--network", "none"]),
        daemon: Some(daemon),
    };
    let end = Instant::now() + Duration::from_secs(30);
    while docker.must(&["version"]).is_err() {
        if Instant::now() > end {
            let log = fs::read_to_string(arena.dir.join("dockerd.log")).unwrap_or_default();
            bail!("dockerd does not answer: {log}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    docker.load()?;
    Ok(docker)
}
