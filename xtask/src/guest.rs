//! A virtual machine with Debian's kernel: cgroup v2 alone, EROFS through a loop device, what a Debian user has.
//!
//! Its root file system is a fresh ext4 disk with the Debian image, a static busybox and whatever files the caller
//! brings; it runs one script, shows its output and gives its exit code. Emulated (`tcg`): needs no `/dev/kvm`.
#![expect(clippy::disallowed_methods, reason = "a chore is made of commands")]
#![expect(
    clippy::print_stderr,
    reason = "the guest's console is shown as it comes"
)]

mod initramfs;
mod kernel;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::tree::place;
use crate::{images, packages, peers, shell};

pub(crate) use kernel::Kernel;

/// A machine to be booted once.
#[derive(Debug)]
pub(crate) struct Machine {
    /// What boots.
    pub(crate) kernel: Kernel,
    /// Host files and where they are in the guest.
    pub(crate) files: Vec<(PathBuf, String)>,
    /// How long everything may take, boot included.
    pub(crate) timeout: Duration,
}

/// How the script ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) output: String,
}

/// The guest's kernel hung: both emulated processors, once in a few runs, in the kernel itself. That says nothing of what ran.
#[derive(Debug)]
struct Hung;

impl std::fmt::Display for Hung {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the guest's kernel hung")
    }
}

impl std::error::Error for Hung {}

/// What the kernel says when its watchdog ends it.
const HUNG: &str = "Kernel panic - not syncing: softlockup";

/// `cargo xtask guest [--kernel VMLINUZ MODULES_DIR] [--file HOST:GUEST]… [--timeout SECONDS] SCRIPT`: for trying things by hand.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    const USAGE: &str = "cargo xtask guest [--kernel VMLINUZ MODULES_DIR] [--file HOST:GUEST]... [--timeout SECONDS] SCRIPT";
    let mut kernel = None;
    let mut files = Vec::new();
    let mut timeout = 600;
    let mut rest = args;
    let script = loop {
        match rest {
            ["--kernel", image, modules, more @ ..] => {
                kernel = Some(Kernel::given(Path::new(image), Path::new(modules))?);
                rest = more;
            }
            ["--file", pair, more @ ..] => {
                let (host, guest) = pair.split_once(':').context(USAGE)?;
                files.push((PathBuf::from(host), guest.to_owned()));
                rest = more;
            }
            ["--timeout", seconds, more @ ..] => {
                timeout = seconds.parse().context(USAGE)?;
                rest = more;
            }
            [script] => break *script,
            _ => bail!("{USAGE}"),
        }
    };
    let machine = Machine {
        kernel: kernel.map_or_else(Kernel::debian, Ok)?,
        files,
        timeout: Duration::from_secs(timeout),
    };
    let outcome = machine.boot(script)?;
    ensure!(
        outcome.code == 0,
        "the guest's script gave {}",
        outcome.code
    );
    Ok(())
}

/// Runs the end-to-end tests and the tests of the kernel doors in the guest.
///
/// # Errors
/// When one fails.
pub(crate) fn test() -> Result<()> {
    let (tests, data) = tests()?;
    let binaries = std::env::current_exe()?;
    let binaries = binaries.parent().context("xtask has no directory")?;
    let mut files = Vec::new();
    for name in ["tare", "tare-monitor", "tare-runtime"] {
        let binary = binaries.join(name);
        // Tests of the package that makes them name them by the path that they were built at.
        let built_at = binary.to_str().context("path is not UTF-8")?.to_owned();
        files.push((binary.clone(), built_at));
        files.push((binary, format!("/opt/tare/bin/{name}")));
    }
    for name in ["busybox.tar", "busybox-root.tar", "debian-root.tar"] {
        files.push((images::fixture(name), format!("/opt/tare/fixtures/{name}")));
    }
    for test in &tests {
        let name = test.file_name().context("a test without a name")?;
        let name = name.to_string_lossy();
        files.push((test.clone(), format!("/opt/tare/tests/{name}")));
    }
    // Tests name their data by the path that they were compiled at.
    for dir in data {
        let guest = dir.to_str().context("path is not UTF-8")?.to_owned();
        files.push((dir, guest));
    }
    files.push((peers::CRIU.unpack()?, "/opt/criu".to_owned()));
    if let Some(docker) = docker_client()? {
        files.push((docker, "/usr/local/bin/docker".to_owned()));
    }
    let machine = Machine {
        kernel: Kernel::debian()?,
        files,
        timeout: Duration::from_secs(45 * 60),
    };
    let outcome = match machine.boot(TEST_SCRIPT) {
        Err(error) if error.is::<Hung>() => {
            shell::say(&format!("{error}: once more"));
            machine.boot(TEST_SCRIPT)?
        }
        other => other?,
    };
    ensure!(outcome.code == 0, "tests failed in the guest");
    ensure!(
        outcome.output.contains("test result: ok."),
        "no test ran in the guest"
    );
    Ok(())
}

const TEST_SCRIPT: &str = "\
export TARE_BIN_DIR=/opt/tare/bin TARE_FIXTURES=/opt/tare/fixtures TARE_TEST_REQUIRE=root,criu
cat >/usr/local/sbin/criu <<'END'
#!/bin/sh
LD_LIBRARY_PATH=/opt/criu/usr/lib/x86_64-linux-gnu exec /opt/criu/usr/sbin/criu \"$@\"
END
chmod 755 /usr/local/sbin/criu
failed=
for test in /opt/tare/tests/*; do
    echo \"== ${test##*/} in the guest\"
    $test || failed=\"$failed ${test##*/}\"
done
[ -z \"$failed\" ] || { echo \"failed in the guest:$failed\"; exit 1; }
";

/// The crates whose tests (not the unit tests beside their modules) ask the kernel something.
const FOR_THE_GUEST: &[&str] = &["tests/e2e"];

/// Their test programs that the guest does not run: it has not the programs that are their witnesses, or they have not been shown there
/// since containers restart by themselves and join networks.
const NOT_FOR_THE_GUEST: &[&str] = &[
    "networks",
    "network_objects",
    "crash",
    "errors",
    "files",
    "flags",
    "hardening",
    "health",
    "life",
    "prunes",
    "pull",
    "push",
    "registry",
    "restart",
    "soundness",
    "stories",
    "terminals",
    "tour",
];

/// The test programs that the guest runs, and the folders of data that they read.
fn tests() -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let text = shell::output(
        "cargo",
        &[
            "test",
            "--workspace",
            "--features",
            "tare/failpoints",
            "--no-run",
            "--message-format=json",
        ],
    )?;
    let mut tests = Vec::new();
    let mut data = Vec::new();
    for line in text.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let Some(executable) = message["executable"].as_str() else {
            continue;
        };
        let manifest = message["manifest_path"].as_str().unwrap_or_default();
        let of_the_kernel = FOR_THE_GUEST.iter().any(|name| {
            let dir = Path::new(manifest).parent();
            dir.is_some_and(|dir| dir.ends_with(name))
        });
        let target = &message["target"];
        let barred = NOT_FOR_THE_GUEST.iter().any(|name| target["name"] == *name);
        let is_test = target["kind"][0] == "test" && !barred;
        if is_test && of_the_kernel {
            tests.push(PathBuf::from(executable));
            let beside = Path::new(manifest).with_file_name("test_data");
            if beside.is_dir() && !data.contains(&beside) {
                data.push(beside);
            }
        }
    }
    ensure!(!tests.is_empty(), "no test to run in the guest");
    Ok((tests, data))
}

/// The host's emulator, or else Debian's, unpacked and not installed.
fn emulator() -> Result<Command> {
    const NAME: &str = "qemu-system-x86_64";
    if shell::has(NAME) {
        return Ok(Command::new(NAME));
    }
    let dir = peers::QEMU.unpack()?;
    let mut qemu = Command::new(dir.join("usr/bin").join(NAME));
    qemu.env("LD_LIBRARY_PATH", dir.join("usr/lib/x86_64-linux-gnu"));
    for data in ["usr/share/qemu", "usr/share/seabios"] {
        qemu.arg("-L").arg(dir.join(data));
    }
    Ok(qemu)
}

/// A client that runs in the guest, which has no libraries but those of Debian's base: the one on the PATH, or Debian's.
fn docker_client() -> Result<Option<PathBuf>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&path)
        .map(|dir| dir.join("docker"))
        .collect();
    found.push(peers::DOCKER.unpack()?.join("usr/bin/docker"));
    Ok(found
        .into_iter()
        .find(|file| file.is_file() && is_at_home_in_the_guest(file)))
}

fn is_at_home_in_the_guest(program: &Path) -> bool {
    let Ok(listed) = shell::command("ldd", &[]).arg(program).output() else {
        return false;
    };
    // Of a static program ldd says that it is none of its, and fails.
    let text = String::from_utf8_lossy(&listed.stdout);
    text.lines().all(|line| {
        let line = line.trim();
        [
            "linux-vdso",
            "libc.so",
            "/lib64/ld-linux",
            "libresolv",
            "libpthread",
            "not a dynamic",
        ]
        .iter()
        .any(|known| line.starts_with(known))
    })
}

impl Machine {
    /// Boots, runs `script` in `/bin/sh` as root, and powers off.
    pub(crate) fn boot(&self, script: &str) -> Result<Outcome> {
        ensure!(
            cfg!(target_arch = "x86_64"),
            "the guest is an x86_64 machine so far"
        );
        shell::install(&[("mkfs.ext4", "e2fsprogs")])?;
        for stale in packages::left_by_the_dead(&packages::fixtures(), "guest-")? {
            fs::remove_dir_all(stale)?;
        }
        let dir = packages::fixtures().join(format!("guest-{}", std::process::id()));
        fs::create_dir(&dir).with_context(|| {
            format!(
                "make {}: remove it if no other guest runs in it",
                dir.display()
            )
        })?;
        let ran = self.boot_in(&dir, script);
        // Ours, made in this run, with nothing mounted below.
        let removed = match dir.exists() {
            true => fs::remove_dir_all(&dir).context("remove the guest's disk"),
            false => Ok(()),
        };
        let outcome = ran?;
        removed?;
        Ok(outcome)
    }

    fn boot_in(&self, dir: &Path, script: &str) -> Result<Outcome> {
        let disk = dir.join("disk.ext4");
        let initramfs = dir.join("initramfs.cpio");
        let mark = format!("tare-guest-{}-exit", std::process::id());
        self.stage(&dir.join("root"), script, &mark)?;
        shell::say(&format!(
            "making the guest's disk with {} files",
            self.files.len()
        ));
        make_disk(&dir.join("root"), &disk)?;
        let bytes = initramfs::make(&self.kernel)?;
        place(&initramfs, |file| Ok(file.write_all(&bytes)?))?;
        shell::say(&format!("booting {}", self.kernel.name()));
        let mut qemu = emulator()?;
        // KVM isn't asked for: nested, it may hang at once, and time doesn't matter here.
        qemu.args([
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "3G",
        ])
        .args(["-display", "none", "-monitor", "none", "-serial", "stdio"])
        .args(["-nodefaults", "-no-reboot", "-kernel"])
        .arg(self.kernel.image())
        .arg("-initrd")
        .arg(&initramfs)
        .args([
            "-append",
            // A kernel that hangs for a minute ends.
            "console=ttyS0 panic=-1 loglevel=3 mitigations=off watchdog_thresh=30 softlockup_panic=1",
        ])
        .args(["-device", "virtio-rng-pci", "-drive"])
        .arg(format!(
            "file={},format=raw,if=virtio,cache=unsafe,discard=unmap",
            disk.display()
        ))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
        let child = qemu.spawn().context("start qemu-system-x86_64")?;
        follow(child, &mark, self.timeout)
    }

    /// The guest's root file system as a directory.
    fn stage(&self, root: &Path, script: &str, mark: &str) -> Result<()> {
        fs::create_dir_all(root)?;
        let debian = images::guest_root()?;
        let mut tar = shell::command("tar", &["-x", "-p", "--numeric-owner", "-f"]);
        tar.arg(debian).arg("-C").arg(root);
        shell::finish(tar)?;
        bring(&images::busybox_binary()?, &root.join("usr/bin/busybox"))?;
        write(&root.join("sbin/guest-init"), &INIT.replace("MARK", mark))?;
        write(&root.join("guest-script"), script)?;
        for (host, guest) in &self.files {
            bring(host, &root.join(guest.trim_start_matches('/')))?;
        }
        Ok(())
    }
}

/// The first process on the guest's disk. Mounts what systemd would, runs the script and tells its exit code.
const INIT: &str = r#"#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mkdir -p /dev/pts /dev/shm /dev/mqueue /run
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
busybox ip link set lo up
hostname guest
setsid sh -c 'exec sh /guest-script </dev/null' >/dev/console 2>&1
code=$?
sync
echo "MARK $code" >/dev/console
busybox poweroff -f
"#;

fn write(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    place(path, |file| {
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
        Ok(file.write_all(text.as_bytes())?)
    })
}

/// A file or a folder at `to`, by hard link where that can be.
fn bring(from: &Path, to: &Path) -> Result<()> {
    let named = || format!("bring {} into the guest", from.display());
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from).with_context(named)? {
            let entry = entry?;
            bring(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let from = fs::canonicalize(from).with_context(named)?;
    // Only what is this tree's own is linked: a file of the machine's would be the guest's to spoil.
    let own = from.starts_with(shell::root());
    if !own || fs::hard_link(&from, to).is_err() {
        // What is there may be a link to a file of somebody else, which would be written through.
        match fs::remove_file(to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(named);
            }
            _ => {}
        }
        fs::copy(&from, to).with_context(named)?;
    }
    Ok(())
}

fn make_disk(root: &Path, disk: &Path) -> Result<()> {
    // mkfs.ext4 is chatty about a file that isn't there.
    fs::File::create(disk)?;
    let mut mkfs = shell::command("mkfs.ext4", &["-q", "-F", "-E"]);
    mkfs.arg("lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0,discard")
        .arg("-d")
        .arg(root)
        .arg(disk)
        .arg("8G");
    shell::finish(mkfs)
}

/// Shows the console until the mark with the exit code, or ends the machine when its time is over.
fn follow(mut qemu: Child, mark: &str, timeout: Duration) -> Result<Outcome> {
    let console = qemu.stdout.take().context("qemu without a console")?;
    let (sender, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line)
                .trim_end_matches('\r')
                .to_owned();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + timeout;
    let mut code = None;
    let mut output = String::new();
    let mut late = false;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some((_, rest)) = line.split_once(mark) {
                    code = rest.trim().parse().ok();
                } else if code.is_none() {
                    eprintln!("{line}");
                    output.push_str(&line);
                    output.push('\n');
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                late = code.is_none();
                qemu.kill()?;
                break;
            }
        }
    }
    drop(lines);
    let status = qemu.wait()?;
    if reader.join().is_err() {
        bail!("the console's reader panicked");
    }
    if late {
        bail!("the guest was not done after {timeout:?} and was ended");
    }
    if code.is_none() && output.contains(HUNG) {
        return Err(Hung.into());
    }
    let code =
        code.with_context(|| format!("the guest ended without its script's exit code ({status})"))?;
    Ok(Outcome { code, output })
}
