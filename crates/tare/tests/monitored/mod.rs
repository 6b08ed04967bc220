//! A monitor of its own for a test, as the engine would start it: with a root made of busybox.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a fixture that fails is a test that fails; each test file uses its own part of it"
)]

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kernel::mount::{Mount, Recursive};
use kernel::process::{Child, Executable, Spawn};
use protocol::launch::{CHANNEL_FD, CONTAINER_DIR_FD, LAUNCH_FD, Launcher, ROOT_FD, RUN_DIR_FD};
use protocol::log::{Reader, Record, Stream};
use protocol::{
    Connection, ExitRecord, Launch, Liveness, LogLimits, Process, Ready, Reply, Request,
};
use spec::ContainerId;
use spec::runtime::Spec;
use testkit::leak::Snapshot;

/// One container and everything around it. Dropping it checks that nothing is left.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) id: ContainerId,
    parent: String,
    before: Snapshot,
    monitors: Vec<Child>,
    /// What the next monitor is given besides.
    pub(crate) given: Vec<(OwnedFd, i32)>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let id = ContainerId::from_bytes(kernel::random::bytes().unwrap());
        let parent = format!("/tare-test-{}", id.short());
        let bench = Self {
            before: Snapshot::take(&parent),
            monitors: Vec::new(),
            given: Vec::new(),
            dir,
            id,
            parent,
        };
        fs::create_dir_all(bench.run_dir()).unwrap();
        fs::create_dir_all(bench.container_dir()).unwrap();
        make_root(&bench.root());
        bench
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// What is `/run/tare` elsewhere.
    pub(crate) fn run_root(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.run_root().join("containers").join(self.id.to_string())
    }

    pub(crate) fn container_dir(&self) -> PathBuf {
        self.dir.path().join("container")
    }

    pub(crate) fn open_container_dir(&self) -> OwnedFd {
        File::open(self.container_dir()).unwrap().into()
    }

    /// A launch of `args` that tests change before they use it.
    pub(crate) fn command(&self, args: &[&str]) -> Launch {
        let mut spec: Spec = spec::profile::default_spec();
        let process = spec.process.as_mut().unwrap();
        process.args = args.iter().map(|&a| a.to_owned()).collect();
        process.cwd = "/".to_owned();
        process.terminal = false;
        Launch {
            events: None,
            v: Launch::VERSION,
            id: self.id,
            spec,
            filter: protocol::GivenFilter::Specified,
            user: None,
            groups: Vec::new(),
            cgroup: format!("{}/{}", self.parent, self.id),
            monitor_cgroup: Some(format!("{}/monitors", self.parent)),
            tty: false,
            open_stdin: false,
            stdin_once: false,
            rows: 0,
            cols: 0,
            restart: protocol::Restart::No,
            probe: None,
            auto_remove: false,
            remove_command: Vec::new(),
            leave_command: Vec::new(),
            remove_env: std::collections::BTreeMap::new(),
            log: LogLimits::default(),
            stop_signal: None,
            oom_score_adj: None,
            network: protocol::GivenNetwork::Nothing,
        }
    }

    /// A launch of a shell script.
    pub(crate) fn script(&self, text: &str) -> Launch {
        self.command(&["sh", "-c", text])
    }

    /// Starts a monitor.
    pub(crate) fn launch(&mut self, launch: &Launch) -> Ready {
        self.try_launch(launch, None).unwrap()
    }

    /// Starts a monitor that may be killed at a fail point.
    pub(crate) fn try_launch(
        &mut self,
        launch: &Launch,
        failpoint: Option<&str>,
    ) -> protocol::Result<Ready> {
        let document = kernel::memfd::sealed("launch", &launch.to_json().unwrap()).unwrap();
        let (launcher, theirs) = Launcher::pair().unwrap();
        let root = File::open(self.root()).unwrap();
        let root = Mount::clone_tree(&root, "", Recursive::No).unwrap();
        let mut spawn = Spawn::new(
            Executable::Path(monitor_binary()),
            ["tare-monitor".to_owned(), self.id.to_string()],
        )
        .fd(theirs, CHANNEL_FD);
        if let Some(point) = failpoint {
            spawn = spawn.env("TARE_FAILPOINT", point);
        }
        spawn.setsid = true;
        self.monitors.push(spawn.start().unwrap());
        let mut given = vec![
            (OwnedFd::from(document), LAUNCH_FD),
            (root.into_fd(), ROOT_FD),
            (self.open_container_dir(), CONTAINER_DIR_FD),
            (File::open(self.run_dir()).unwrap().into(), RUN_DIR_FD),
        ];
        given.append(&mut self.given);
        let order: Vec<_> = given.iter().map(|(fd, n)| (fd.as_fd(), *n)).collect();
        launcher.order(&order)?;
        drop(given);
        launcher.ready()
    }

    /// Starts a monitor whose program must run.
    pub(crate) fn start(&mut self, launch: &Launch) {
        let ready = self.launch(launch);
        assert!(matches!(ready, Ready::Started { .. }), "{ready:?}");
    }

    /// Starts a monitor whose program can't run; gives stage, message and code.
    pub(crate) fn fail(&mut self, launch: &Launch) -> (String, String, i32) {
        match self.launch(launch) {
            Ready::Failed {
                stage,
                message,
                exit_code,
            } => (stage, message, exit_code),
            Ready::Started { .. } => panic!("started"),
        }
    }

    pub(crate) fn liveness(&self) -> Liveness {
        protocol::probe(&self.run_root(), &self.id).unwrap()
    }

    pub(crate) fn connect(&self) -> Connection {
        let connection = Connection::open(File::open(self.run_dir()).unwrap()).unwrap();
        connection
            .set_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        connection
    }

    pub(crate) fn call(&self, request: &Request) -> Reply {
        self.connect().call(request, &[]).unwrap().0
    }

    /// Attaches: the connection, and the program's standard input.
    pub(crate) fn attach(&self, from: protocol::From) -> (Attached, Option<File>) {
        let mut connection = self.connect();
        let request = Request::Attach { from, stdin: true };
        let (reply, mut fds) = connection.call(&request, &[]).unwrap();
        assert!(matches!(reply, Reply::Attached { .. }), "{reply:?}");
        (Attached(Some(connection)), fds.pop().map(File::from))
    }

    /// Waits for the container's end.
    pub(crate) fn wait(&self) -> ExitRecord {
        if let Ok(mut connection) = Connection::open(File::open(self.run_dir()).unwrap()) {
            connection
                .set_timeout(Some(Duration::from_secs(60)))
                .unwrap();
            let request = Request::Wait { remove: false };
            if let Ok((Reply::Exited(record), _)) = connection.call(&request, &[]) {
                return record;
            }
        }
        // It had ended already.
        self.record().unwrap()
    }

    pub(crate) fn record(&self) -> Option<ExitRecord> {
        ExitRecord::read(self.open_container_dir()).unwrap()
    }

    /// Waits for the monitor's own end.
    pub(crate) fn join(&mut self) {
        for monitor in self.monitors.drain(..) {
            let ended = monitor.pidfd.wait_end(Duration::from_secs(30)).unwrap();
            assert!(ended, "the monitor does not end");
            monitor.wait().unwrap();
        }
    }

    /// Waits for the end of a monitor that kills itself.
    pub(crate) fn join_killed(&mut self) {
        for monitor in self.monitors.drain(..) {
            assert!(monitor.pidfd.wait_end(Duration::from_secs(10)).unwrap());
            let status = monitor.wait().unwrap();
            assert_eq!(status, kernel::process::ExitStatus::Signaled(6));
        }
    }

    /// The processes in the container's cgroups.
    pub(crate) fn processes(&self) -> Vec<String> {
        let files = testkit::leak::cgroup_roots().into_iter();
        let path = format!("{}/{}/cgroup.procs", self.parent, self.id);
        files
            .filter_map(|root| fs::read_to_string(root.join(path.trim_start_matches('/'))).ok())
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// The monitor that was started last.
    pub(crate) fn monitor(&self) -> &Child {
        self.monitors.last().unwrap()
    }

    pub(crate) fn log(&self) -> Vec<Record> {
        let Ok(mut reader) = Reader::open(self.open_container_dir(), None) else {
            return Vec::new();
        };
        std::iter::from_fn(|| reader.read().unwrap()).collect()
    }

    /// What is in the log of one stream.
    pub(crate) fn text(&self, stream: Stream) -> String {
        text_of(&self.log(), stream)
    }

    /// Waits until something is true.
    pub(crate) fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(15);
        while !is() {
            assert!(Instant::now() < end, "{what}: not within 15 s");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the log's output has `text`.
    pub(crate) fn until_said(&self, text: &str) {
        self.until(text, || self.text(Stream::Stdout).contains(text));
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for monitor in &self.monitors {
                drop(monitor.pidfd.signal(kernel::signal::SIGKILL));
            }
            return;
        }
        self.join();
        let left = Snapshot::take(&self.parent).since(&self.before);
        testkit::leak::remove_cgroups(&self.parent);
        assert!(left.is_empty(), "left behind: {left:#?}");
        let run: Vec<_> = fs::read_dir(self.run_dir()).unwrap().collect();
        assert!(run.is_empty(), "left in the run directory: {run:?}");
        for entry in fs::read_dir(self.container_dir()).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(
                name == "log" || name == "exit.json",
                "left: {}",
                name.display()
            );
        }
    }
}

/// An attached connection.
#[derive(Debug)]
pub(crate) struct Attached(Option<Connection>);

impl Attached {
    pub(crate) fn close_stdin(&mut self) {
        self.0
            .as_mut()
            .unwrap()
            .send(&Request::CloseStdin, &[])
            .unwrap();
    }

    /// Everything to the end.
    pub(crate) fn read_all(mut self) -> Vec<Record> {
        let mut bytes = Vec::new();
        let mut stream = self.0.take().unwrap().into_stream();
        stream.read_to_end(&mut bytes).unwrap();
        let mut records = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some((record, size)) = Record::decode(rest).unwrap() {
            records.push(record);
            rest = &rest[size..];
        }
        assert!(rest.is_empty(), "a record was cut");
        records
    }
}

pub(crate) fn text_of(records: &[Record], stream: Stream) -> String {
    let of_stream = records.iter().filter(|r| r.stream == stream);
    let bytes: Vec<u8> = of_stream.flat_map(|r| r.payload.clone()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What an exec runs.
pub(crate) fn process(args: &[&str]) -> Process {
    Process {
        args: args.iter().map(|&a| a.to_owned()).collect(),
        env: vec!["PATH=/bin".to_owned(), "COLOUR=blue".to_owned()],
        cwd: None,
        user: None,
        tty: false,
        open_stdin: false,
        privileged: false,
        detach_keys: None,
    }
}

fn monitor_binary() -> PathBuf {
    option_env!("CARGO_BIN_EXE_tare-monitor")
        .map_or_else(|| testkit::fixtures::binary("tare-monitor"), PathBuf::from)
}

fn make_root(root: &Path) {
    for dir in ["bin", "dev", "proc", "sys", "tmp", "etc", "home/app"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    let applets = [
        "sh", "echo", "cat", "sleep", "true", "false", "stty", "head", "yes", "id", "pwd", "env",
        "kill", "ps", "dd", "ls", "test", "tr", "seq", "touch", "grep", "wc",
    ];
    for applet in applets {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    let passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
    fs::write(root.join("etc/passwd"), passwd).unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\napp:x:1000:\n").unwrap();
    fs::write(root.join("etc/plain"), "no program\n").unwrap();
}
