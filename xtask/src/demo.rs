//! `cargo xtask demo`: the main job on real input, told so that a newcomer can follow, leaving nothing behind.
#![expect(
    clippy::disallowed_methods,
    reason = "the demo runs the product as a user does"
)]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::{images, shell, test};

struct Stage {
    dir: PathBuf,
    tare: PathBuf,
}

/// Builds, makes an image, runs the show, cleans up even when the show fails.
///
/// # Errors
/// The step that did not do what it shows.
pub(crate) fn run() -> Result<()> {
    ensure!(
        shell::is_root(),
        "the demo makes containers and needs root: sudo -E env \"PATH=$PATH\" cargo xtask demo"
    );
    shell::say("\n# 1. Build: three static binaries, tare, tare-monitor and tare-runtime.\n");
    shell::run("cargo", &["build", "--package", "tare"])?;
    shell::say("\n# 2. A Debian root file system, made from Debian's own packages.\n");
    images::run()?;
    let dir = PathBuf::from(format!("/var/tmp/tare-demo-{}", std::process::id()));
    fs::create_dir_all(dir.join("shared"))?;
    let stage = Stage {
        dir,
        tare: test::binaries()?.join("tare"),
    };
    let shown = stage.show();
    let swept = stage.sweep();
    shown.and(swept)?;
    shell::say("\nThat's all. Nothing is left: no process, no mount, no cgroup, no file.");
    Ok(())
}

impl Stage {
    fn show(&self) -> Result<()> {
        shell::say(
            "\n# 3. Import it as an image. One pass: the tar streams by and becomes one EROFS file.\n",
        );
        let root = images::fixture("debian-root.tar");
        self.run(&["import", "-c", "CMD [\"bash\"]", path(&root), "debian"])?;
        self.run(&["images"])?;

        shell::say("\n# 4. Run a program in it. No daemon runs: the engine is in the command.\n");
        let release = self.run(&[
            "run",
            "--rm",
            "--network",
            "none",
            "debian",
            "cat",
            "/etc/os-release",
        ])?;
        ensure!(
            release.contains("Debian"),
            "the container did not show Debian's /etc/os-release"
        );

        shell::say(
            "\n# 5. A shell on a real terminal: its size, its name, and arithmetic typed at the prompt.\n",
        );
        self.terminal()?;

        shell::say(
            "\n# 6. A service: detached, with environment and a volume, limited to 64 MiB.\n",
        );
        let shared = format!("{}:/shared", path(&self.dir.join("shared")));
        let script = "trap 'echo stopping; exit 0' TERM; echo \"$GREETING\" | tee /shared/greeting; while :; do sleep 0.1; done";
        self.run(&[
            "run",
            "-d",
            "--name",
            "service",
            "--network",
            "none",
            "-m",
            "64m",
            "-e",
            "GREETING=hello from inside",
            "-v",
            &shared,
            "debian",
            "bash",
            "-c",
            script,
        ])?;
        self.wait_for("hello from inside")?;
        self.run(&["ps"])?;
        let greeting = fs::read_to_string(self.dir.join("shared/greeting"))?;
        ensure!(
            greeting == "hello from inside\n",
            "the volume does not hold what the service wrote"
        );

        shell::say("\n# 7. Look inside, read its log, stop it.\n");
        self.run(&[
            "exec",
            "service",
            "cat",
            "/etc/hostname",
            "/shared/greeting",
        ])?;
        self.run(&["stop", "service"])?;
        let logs = self.run(&["logs", "service"])?;
        ensure!(
            logs.ends_with("stopping\n"),
            "the service did not hear SIGTERM"
        );
        self.run(&["rm", "service"])?;

        shell::say("\n# 8. A mistake gets one clear line, and what to do.\n");
        let status = self.command(&["run", "--rm", "debain", "true"]).status()?;
        ensure!(status.code() == Some(125), "an unknown image gave {status}");
        Ok(())
    }

    fn sweep(&self) -> Result<()> {
        shell::say("\n# 9. Clean up.\n");
        let ids = self.quiet(&["ps", "-aq"])?;
        for id in ids.lines() {
            self.quiet(&["rm", "-f", id])?;
        }
        for id in self.quiet(&["images", "-q"])?.lines() {
            self.run(&["rmi", "-f", id])?;
        }
        let left = self.quiet(&["internal", "check"])?;
        ensure!(left.trim().is_empty(), "left behind: {left}");
        for name in ["monitors", ""] {
            remove_cgroups(&Path::new(&self.cgroup()[1..]).join(name));
        }
        // The one mount that the engine keeps for the next container: the folder of its layers.
        let layers = self.dir.join("run/layers");
        if is_mounted(&layers)? {
            shell::run("umount", &[path(&layers)])?;
        }
        // The directory's name carries this process's id; rmdir refuses what is mounted.
        fs::remove_dir_all(&self.dir).with_context(|| format!("remove {}", self.dir.display()))
    }

    fn cgroup(&self) -> String {
        format!("/tare-demo-{}", std::process::id())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.tare);
        command
            .args(args)
            .env("TARE_ROOT", self.dir.join("root"))
            .env("TARE_RUN_ROOT", self.dir.join("run"))
            .env("TARE_CGROUP_PARENT", self.cgroup())
            .env("TARE_HOST", "embedded");
        command
    }

    /// Shows the command and what it prints, and gives its standard output.
    fn run(&self, args: &[&str]) -> Result<String> {
        let words: Vec<String> = args
            .iter()
            .map(|a| {
                if a.contains(' ') {
                    format!("'{a}'")
                } else {
                    (*a).to_owned()
                }
            })
            .collect();
        shell::say(&format!("$ tare {}", words.join(" ")));
        let text = self.quiet(args)?;
        shell::say(text.trim_end());
        Ok(text)
    }

    fn quiet(&self, args: &[&str]) -> Result<String> {
        let output = self.command(args).stderr(Stdio::inherit()).output()?;
        ensure!(
            output.status.success(),
            "tare {}: {}",
            args.join(" "),
            output.status
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn wait_for(&self, text: &str) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if self.quiet(&["logs", "service"])?.contains(text) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the service did not say {text:?}")
    }

    /// `tare run -it` under `script`, which gives it a pseudo-terminal of its own.
    fn terminal(&self) -> Result<()> {
        let tare = path(&self.tare);
        let line = format!("{tare} run -it --rm --network none debian bash --norc");
        shell::say("$ tare run -it --rm --network none debian bash --norc");
        let mut command = self.command(&[]);
        let mut script = Command::new("script");
        script
            .args(["-qec", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        script.envs(
            command
                .get_envs()
                .filter_map(|(k, v)| v.map(|v| (k.to_owned(), v.to_owned()))),
        );
        command.stdin(Stdio::null());
        let mut child = script
            .spawn()
            .context("start script, of Debian's bsdutils")?;
        let mut stdin = child.stdin.take().context("script has no standard input")?;
        std::thread::sleep(Duration::from_millis(700));
        for typed in ["tty\n", "echo $((6 * 7))\n", "exit 3\n"] {
            stdin.write_all(typed.as_bytes())?;
            std::thread::sleep(Duration::from_millis(200));
        }
        let mut shown = String::new();
        child
            .stdout
            .take()
            .context("script has no standard output")?
            .read_to_string(&mut shown)?;
        let status = child.wait()?;
        shell::say(shown.trim_end());
        ensure!(
            shown.contains("42") && shown.contains("/dev/pts/"),
            "the shell did not answer"
        );
        ensure!(
            status.code() == Some(3),
            "the shell's exit code is {status}, not 3"
        );
        Ok(())
    }
}

fn is_mounted(dir: &Path) -> Result<bool> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(mounts
        .lines()
        .any(|line| line.split(' ').nth(4) == Some(path(dir))))
}

fn remove_cgroups(below: &Path) {
    for line in fs::read_to_string("/proc/self/mountinfo")
        .unwrap_or_default()
        .lines()
    {
        if line.contains(" - cgroup")
            && let Some(root) = line.split(' ').nth(4)
        {
            // Absent in hierarchies that the containers did not use.
            drop(fs::remove_dir(Path::new(root).join(below)));
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
