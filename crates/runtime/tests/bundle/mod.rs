//! A bundle made of busybox, and the built `tare-runtime` over it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "each test uses a part; tests start programs and write files"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use spec::profile;
use spec::runtime::Spec;
use testkit::leak::{Snapshot, remove_cgroups};

/// A bundle in a temporary directory; what its container leaves behind fails the test.
pub struct Bundle {
    pub directory: tempfile::TempDir,
    pub spec: Spec,
    pub id: String,
    /// The parent of its cgroup.
    pub parent: String,
    before: Snapshot,
}

/// What a command came to.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Bundle {
    /// A container that runs `script` with sh.
    pub fn new(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("rootfs");
        for path in ["bin", "etc", "tmp"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        let list = Command::new("/bin/busybox").arg("--list").output().unwrap();
        for applet in String::from_utf8(list.stdout)
            .unwrap()
            .lines()
            .filter(|a| *a != "busybox")
        {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        fs::write(
            root.join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n",
        )
        .unwrap();
        fs::write(
            root.join("etc/group"),
            "root:x:0:\nwww:x:34:\nvideo:x:44:web\n",
        )
        .unwrap();
        let id = format!("t-{}", kernel::random::hex::<8>().unwrap());
        let parent = format!("/tare-test-{}", kernel::random::hex::<8>().unwrap());
        let mut spec = profile::default_spec();
        spec.hostname = "inside".to_owned();
        spec.linux.as_mut().unwrap().cgroups_path = format!("{parent}/{id}");
        let before = Snapshot::take(&parent);
        let mut bundle = Self {
            directory,
            spec,
            id,
            parent,
            before,
        };
        bundle.args(&["sh", "-c", script]);
        bundle
    }

    pub fn args(&mut self, args: &[&str]) {
        self.spec.process.as_mut().unwrap().args = args.iter().map(|&a| a.to_owned()).collect();
    }

    pub fn process(&mut self) -> &mut spec::runtime::Process {
        self.spec.process.as_mut().unwrap()
    }

    pub fn linux(&mut self) -> &mut spec::runtime::Linux {
        self.spec.linux.as_mut().unwrap()
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn root(&self) -> PathBuf {
        self.path().join("rootfs")
    }

    pub fn write_config(&self) {
        let text = serde_json::to_string_pretty(&self.spec).unwrap();
        fs::write(self.path().join("config.json"), text).unwrap();
    }

    /// `tare-runtime` with its state here.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(testkit::fixtures::binary("tare-runtime"));
        command
            .arg("--root")
            .arg(self.path().join("state"))
            .args(args)
            .stdin(Stdio::null());
        command
    }

    pub fn call(&self, args: &[&str]) -> Outcome {
        Outcome::from(self.command(args).output().unwrap())
    }

    /// Runs the container to its end.
    pub fn run(&self) -> Outcome {
        self.write_config();
        self.call(&["run", "-b", self.path().to_str().unwrap(), &self.id])
    }

    /// Makes the container, with its output going to a file.
    pub fn create(&self) -> Outcome {
        self.write_config();
        let log = fs::File::create(self.path().join("output")).unwrap();
        let errors = fs::File::create(self.path().join("errors")).unwrap();
        let bundle = self.path().to_str().unwrap();
        let mut command = self.command(&["create", "-b", bundle, &self.id]);
        let status = command.stdout(log).stderr(errors).status().unwrap();
        Outcome {
            code: status.code().unwrap(),
            out: String::new(),
            err: fs::read_to_string(self.path().join("errors")).unwrap(),
        }
    }

    /// What the container wrote after [`Bundle::create`].
    pub fn output(&self) -> String {
        fs::read_to_string(self.path().join("output")).unwrap()
    }

    /// The same, when it is `lines` lines.
    pub fn lines(&self, lines: usize) -> String {
        for _ in 0..500 {
            let output = self.output();
            if output.lines().count() >= lines {
                return output;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the container wrote no more than {:?}", self.output());
    }

    /// Makes and starts the container.
    pub fn start(&self) {
        self.create().succeeds();
        self.call(&["start", &self.id]).succeeds();
    }

    pub fn exec(&self, args: &[&str]) -> Outcome {
        let mut all = vec!["exec", self.id.as_str()];
        all.extend(args);
        self.call(&all)
    }

    pub fn state(&self) -> serde_json::Value {
        serde_json::from_str(&self.call(&["state", &self.id]).succeeds()).unwrap()
    }

    pub fn status(&self) -> String {
        self.state()["status"].as_str().unwrap().to_owned()
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.state()["pid"].as_i64().unwrap()).unwrap()
    }

    /// Waits until the container has stopped.
    pub fn wait(&self) {
        for _ in 0..500 {
            if self.status() == "stopped" {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the container goes on");
    }

    /// The content of a file of the container's cgroup.
    pub fn cgroup_file(&self, controller: &str, file: &str) -> String {
        let path = &self.spec.linux.as_ref().unwrap().cgroups_path;
        let v1 = format!("/sys/fs/cgroup/{controller}{path}/{file}");
        let v2 = format!("/sys/fs/cgroup{path}/{file}");
        fs::read_to_string(v1)
            .or_else(|_| fs::read_to_string(v2))
            .unwrap()
            .trim()
            .to_owned()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.call(&["delete", "--force", &self.id]);
        if std::thread::panicking() {
            remove_cgroups(&self.parent);
            return;
        }
        let own = format!("{}/{}", self.parent, self.id);
        let left: Vec<String> = Snapshot::take(&self.parent).since(&self.before);
        let left: Vec<&String> = left
            .iter()
            .filter(|fact| !fact.starts_with("cgroup") || fact.contains(&own))
            .collect();
        remove_cgroups(&self.parent);
        assert_eq!(left, Vec::<&String>::new(), "left behind");
        assert!(!self.path().join("state").join(&self.id).exists());
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        Self {
            code: output
                .status
                .code()
                .unwrap_or_else(|| 128 + output.status.signal().unwrap()),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Outcome {
    /// Its output, if it succeeded.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// Its complaint, if it failed with `code`.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        self.err
    }
}
