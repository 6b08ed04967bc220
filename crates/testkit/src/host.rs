//! An engine in a temporary directory, reached by one of the transports, that must leave nothing behind.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::leak::{self, Snapshot};
use crate::sandbox::Sandbox;
use crate::{Terminal, fixtures};

/// How a test's commands reach the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `tare` serves itself in-process.
    Embedded,
    /// `tare` talks to `tare daemon` over its socket.
    Socket,
}

/// A throw-away engine. Call [`Host::finish`] at the end of the test: it removes everything and checks for leaks.
#[derive(Debug)]
pub struct Host {
    dir: tempfile::TempDir,
    transport: Transport,
    daemon: Option<Child>,
    cgroup: String,
    before: Snapshot,
    finished: bool,
    env: Vec<(String, String)>,
}

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; 128 + the signal's number when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// From what the standard library collected.
    #[must_use]
    pub fn new(output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let signal = || 128 + output.status.signal().unwrap_or_default();
        Self {
            code: output.status.code().unwrap_or_else(signal),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output of a command that must have succeeded, without the last newline.
    #[must_use]
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(
            self.code, 0,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self.stdout.trim_end_matches('\n').to_owned()
    }

    /// Standard error of a command that must have ended with `code`.
    #[must_use]
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self.stderr
    }
}

impl Host {
    /// An empty engine; for [`Transport::Socket`] its daemon runs.
    #[must_use]
    pub fn new(_sandbox: &Sandbox, transport: Transport) -> Self {
        // Not /tmp: EROFS can't be mounted from a file on tmpfs.
        let base = std::env::var_os("TARE_TEST_DIR")
            .map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        let dir = tempfile::Builder::new()
            .prefix("tare-test-")
            .tempdir_in(base)
            .unwrap();
        let unique = dir
            .path()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let cgroup = format!("/{unique}");
        let before = Snapshot::take(&cgroup);
        let mut host = Self {
            dir,
            transport,
            daemon: None,
            cgroup,
            before,
            finished: false,
            env: Vec::new(),
        };
        if transport == Transport::Socket {
            host.start_daemon();
        }
        host
    }

    /// An engine with the image `busybox:latest`.
    #[must_use]
    pub fn with_busybox(sandbox: &Sandbox, transport: Transport) -> Self {
        let host = Self::new(sandbox, transport);
        let archive = fixtures::image("busybox.tar");
        let _loaded = host
            .tare(["load", "-q", "-i", archive.to_str().unwrap()])
            .ok();
        host
    }

    /// The engine's root (`/var/lib/tare` of a real one).
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// The engine's run directory (`/run/tare` of a real one).
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// A directory for the test's own files.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        let dir = self.dir.path().join("scratch");
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// How commands reach the engine.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The parent of all cgroups of this engine.
    #[must_use]
    pub fn cgroup(&self) -> &str {
        &self.cgroup
    }

    /// The daemon's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run().join("tare.sock")
    }

    /// The daemon's process id.
    #[must_use]
    pub fn daemon_pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Child::id)
    }

    /// Starts `tare daemon` and waits until it answers.
    pub fn start_daemon(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("daemon.log"))
            .unwrap();
        let mut command = self.bare("tare");
        command
            .env_remove("TARE_HOST")
            .arg("daemon")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("tare daemon ended: {status}\n{}", self.daemon_log());
            }
            assert!(
                Instant::now() < end,
                "tare daemon does not answer\n{}",
                self.daemon_log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        self.daemon = Some(child);
    }

    /// Ends the daemon by `signal`, and gives its exit code if it had one.
    pub fn stop_daemon(&mut self, signal: rustix::process::Signal) -> Option<i32> {
        let mut child = self.daemon.take()?;
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).ok();
        let end = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                Instant::now() < end,
                "tare daemon does not stop\n{}",
                self.daemon_log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whatever the daemon has said.
    #[must_use]
    pub fn daemon_log(&self) -> String {
        fs::read_to_string(self.dir.path().join("daemon.log")).unwrap_or_default()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "tests run the product as a user does"
    )]
    fn bare(&self, program: &str) -> Command {
        let mut command = Command::new(fixtures::binary(program));
        command
            .env("TARE_ROOT", self.root())
            .env("TARE_RUN_ROOT", self.run())
            .env("TARE_CGROUP_PARENT", &self.cgroup)
            .env_remove("DOCKER_HOST");
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        match self.transport {
            Transport::Embedded => command.env("TARE_HOST", "embedded"),
            Transport::Socket => {
                command.env("TARE_HOST", format!("unix://{}", self.socket().display()))
            }
        };
        command
    }

    /// Sets a variable for every command from now on; the daemon is started again with it.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
        self.restart_daemon();
    }

    /// Takes back all of [`Host::set_env`].
    pub fn clear_env(&mut self) {
        self.env.clear();
        self.restart_daemon();
    }

    fn restart_daemon(&mut self) {
        if self.transport == Transport::Socket {
            self.stop_daemon(rustix::process::Signal::TERM);
            self.start_daemon();
        }
    }

    /// The command `tare ARGS…`, to be started by the test.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.bare("tare");
        command.args(args);
        command
    }

    /// Runs `tare ARGS…` with empty standard input.
    pub fn tare<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Outcome {
        run(self.command(args))
    }

    /// Runs `tare ARGS…` with `input` as standard input.
    pub fn tare_with_input<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Outcome {
        run_with_input(self.command(args), input)
    }

    /// Runs `tare ARGS…` on a terminal.
    pub fn terminal<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Terminal {
        Terminal::spawn(self.command(args)).unwrap()
    }

    /// The command `docker ARGS…` of the stock client, talking to the daemon. `None` where there is no client.
    #[expect(clippy::disallowed_methods, reason = "the stock client is the witness")]
    pub fn docker<S: AsRef<OsStr>>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(program);
        command
            .env("DOCKER_HOST", format!("unix://{}", self.socket().display()))
            .env("DOCKER_CONFIG", self.scratch().join("docker"))
            .env_remove("DOCKER_CONTEXT")
            .args(args);
        command
    }

    /// Removes all containers, images and volumes, stops the daemon, and compares the machine with what it was.
    ///
    /// # Panics
    /// When anything is left: it is listed.
    pub fn finish(mut self) {
        self.remove_everything();
        let mut found: Vec<String> = Vec::new();
        let check = self.tare(["internal", "check"]);
        if check.code != 0 || !check.stdout.trim().is_empty() {
            found.push(format!("internal check: {}{}", check.stdout, check.stderr));
        }
        if self.daemon.is_some() {
            let code = self.stop_daemon(rustix::process::Signal::TERM);
            if code != Some(0) {
                found.push(format!("daemon ended with {code:?}: {}", self.daemon_log()));
            }
        }
        // A cache: what holds the layers' mounts. Not by force: a layer that is still mounted there is a leak.
        rustix::mount::unmount(
            self.run().join("layers"),
            rustix::mount::UnmountFlags::empty(),
        )
        .ok();
        found.extend(self.leaks());
        self.finished = true;
        leak::remove_cgroups(&self.cgroup);
        assert!(found.is_empty(), "left behind:\n{}", found.join("\n"));
    }

    fn remove_everything(&self) {
        for (list, remove) in [
            (["ps", "-aq"].as_slice(), ["rm", "-f", "-v"].as_slice()),
            (&["images", "-aq"], &["rmi", "-f"]),
            (&["volume", "ls", "-q"], &["volume", "rm"]),
            (
                &["network", "ls", "-q", "--filter", "type=custom"],
                &["network", "rm"],
            ),
        ] {
            let mut ids: Vec<String> = self.tare(list).ok().lines().map(str::to_owned).collect();
            ids.sort();
            ids.dedup();
            if !ids.is_empty() {
                let _removed = self
                    .tare(remove.iter().map(|s| (*s).to_owned()).chain(ids))
                    .ok();
            }
        }
        let _pruned = self.tare(["builder", "prune", "-f"]).ok();
    }

    /// Leftovers on the machine and in the engine's directories; waits a moment for processes that are ending.
    fn leaks(&self) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(3);
        loop {
            let mut found = Snapshot::take(&self.cgroup).since(&self.before);
            found.extend(self.files());
            if found.is_empty() || Instant::now() > end {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Files that an engine without containers, images and volumes has no use for. The database, its journal, lock
    /// files and empty directories are what it keeps.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (top, keeps) in [
            (
                self.root(),
                ["tare.db", "tare.db-wal", "tare.db-shm", "oci-layout"].as_slice(),
            ),
            (self.run(), &["tare.sock"]),
        ] {
            walk(&top, &mut |path| {
                let inside = path.strip_prefix(&top).unwrap();
                let kept = keeps.iter().any(|k| inside == Path::new(k))
                    || inside.starts_with("locks")
                    || inside.starts_with("events")
                    || path.extension().is_some_and(|e| e == "lock");
                if !kept {
                    found.push(format!("file {}", path.display()));
                }
            });
        }
        found
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !self.finished {
            drop(
                self.daemon
                    .take()
                    .map(|mut d| d.kill().and_then(|()| d.wait())),
            );
            let log = self.daemon_log();
            if std::thread::panicking() && !log.is_empty() {
                crate::sandbox::note(&format!("daemon's log:\n{log}"));
            }
            // The processes of the sandbox die with it; its cgroups would stay.
            for pid in fs::read_dir("/proc").into_iter().flatten().flatten() {
                let pid = pid.file_name().to_string_lossy().parse::<i32>().ok();
                let other = pid.filter(|p| *p > 1 && p.unsigned_abs() != std::process::id());
                if let Some(pid) = other.and_then(rustix::process::Pid::from_raw) {
                    rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
                }
            }
            std::thread::sleep(Duration::from_millis(100));
            leak::remove_cgroups(&self.cgroup);
            for entry in fs::read_dir(self.run().join("layers"))
                .into_iter()
                .flatten()
                .flatten()
            {
                rustix::mount::unmount(entry.path(), rustix::mount::UnmountFlags::DETACH).ok();
            }
            assert!(
                std::thread::panicking(),
                "the test did not call Host::finish"
            );
        }
    }
}

fn walk(dir: &Path, file: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            walk(&entry.path(), file);
        } else {
            file(&entry.path());
        }
    }
}

/// Runs `command` to its end with empty standard input.
///
/// # Panics
/// When it can't be started.
#[must_use]
pub fn run(command: Command) -> Outcome {
    run_with_input(command, b"")
}

/// Runs `command` to its end with `input` as standard input.
///
/// # Panics
/// When it can't be started.
#[must_use]
pub fn run_with_input(mut command: Command, input: &[u8]) -> Outcome {
    use std::io::Write;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A command that doesn't read its input closes it: not this fixture's error.
        drop(stdin.write_all(&input));
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Outcome::new(&output)
}
