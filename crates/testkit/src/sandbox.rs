//! A root test runs again as a process of its own in fresh mount, pid, network, IPC and UTS namespaces.
//!
//! So tests run side by side, can't touch the host's network, and whatever process they forget dies with the pid
//! namespace. The test's first process there is a small init that reaps orphans, as a real host's does.
#![expect(
    unsafe_code,
    reason = "fork between clone and exec, as only a test's own child may"
)]

use std::ffi::CStr;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// Set in the process that runs the test's body.
const INSIDE: &str = "TARE_SANDBOXED";

/// How long one sandboxed test may take before it is killed.
/// A machine without hardware support, as the guest is, takes twenty times as long as a real one.
const DEADLINE: Duration = Duration::from_secs(900);

/// Proof that the caller runs in namespaces of its own.
#[derive(Debug)]
pub struct Sandbox(());

impl Sandbox {
    /// Sets the loopback device of the sandbox's network going.
    pub fn raise_loopback(&self) {
        use std::os::fd::AsRawFd as _;
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        // SAFETY: an ifreq of zeros is a valid one: an empty name and no flags.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        request.ifr_name[0] = b'l'.cast_signed();
        request.ifr_name[1] = b'o'.cast_signed();
        request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap();
        // SAFETY: SIOCSIFFLAGS reads the ifreq behind the pointer, which outlives the call (netdevice(7)).
        let done = check(unsafe {
            libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)
        });
        done.unwrap();
    }
}

/// Runs the calling test in a sandbox: `let Some(_sandbox) = testkit::sandbox!() else { return };`
///
/// Outside, it runs the test again inside and panics unless that succeeded, then gives `None`. Without root it prints
/// `SKIP` and gives `None`; with `TARE_TEST_REQUIRE=root` in the environment that is a panic.
#[macro_export]
macro_rules! sandbox {
    () => {{
        fn here() {}
        $crate::sandbox::enter(std::any::type_name_of_val(&here))
    }};
}

/// See [`sandbox!`]; `place` is the type name of an item inside the test function.
#[must_use]
pub fn enter(place: &str) -> Option<Sandbox> {
    if std::env::var_os(INSIDE).is_some() {
        return Some(Sandbox(()));
    }
    if !is_root() {
        return None;
    }
    let name = test_name(place);
    let status = run_inside(&name).unwrap();
    assert!(status.success(), "{name} in its sandbox: {status}");
    None
}

/// Whether the test has root's rights. Without them it says `SKIP`; with `TARE_TEST_REQUIRE=root` in the environment
/// that is a panic. For tests that need root and no sandbox.
#[must_use]
pub fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(
            !requires("root"),
            "this test needs root, and TARE_TEST_REQUIRE=root forbids to skip it"
        );
        note("SKIP this test needs root");
    }
    root
}

/// Whether `TARE_TEST_REQUIRE`, a list with commas, forbids to skip tests for want of `what`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "fixtures read the environment")]
pub fn requires(what: &str) -> bool {
    std::env::var("TARE_TEST_REQUIRE").is_ok_and(|v| v.split(',').any(|word| word == what))
}

/// `e2e::stories::runs::here` → `stories::runs`: libtest's name of the test.
fn test_name(place: &str) -> String {
    let path = place.strip_suffix("::here").unwrap_or(place);
    path.split_once("::")
        .map_or(path, |(_crate, rest)| rest)
        .to_owned()
}

#[expect(clippy::disallowed_methods, reason = "starts the test binary itself")]
fn run_inside(name: &str) -> std::io::Result<ExitStatus> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1");
    // SAFETY: `isolate` makes only system calls, with no allocation and no lock, in the single-threaded child.
    unsafe { command.pre_exec(isolate) };
    let mut child = command.spawn()?;
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                "the test hangs",
            ));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// In the child, before exec: new namespaces, and two more forks so that the test is not pid 1.
fn isolate() -> std::io::Result<()> {
    let flags = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS;
    // SAFETY: unshare(2) takes an integer; this process has one thread.
    check(unsafe { libc::unshare(flags) })?;
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE)?;
    if fork()? != 0 {
        reap_until_last_child()
    }
    // pid 1 of the new namespace. Dies with its parent, and everything in the namespace with it.
    // SAFETY: prctl(2) with integers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
    mount(
        c"proc",
        c"/proc",
        Some(c"proc"),
        libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
    )?;
    let test = fork()?;
    if test != 0 {
        reap_until(test)
    }
    Ok(())
}

fn reap_until_last_child() -> ! {
    reap_until(-1)
}

/// Waits for children until `pid` (or, for -1, the first one) ended, then exits with its status.
fn reap_until(pid: libc::pid_t) -> ! {
    loop {
        let mut status = 0;
        // SAFETY: waitpid(2) writes one integer, which `status` has room for.
        let got = unsafe { libc::waitpid(-1, &raw mut status, 0) };
        if got == pid || (pid == -1 && got > 0) {
            let code = if libc::WIFEXITED(status) {
                libc::WEXITSTATUS(status)
            } else {
                128 + libc::WTERMSIG(status)
            };
            // SAFETY: _exit(2) does not return and runs no destructor.
            unsafe { libc::_exit(code) }
        }
        if got < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ECHILD) {
            // SAFETY: as above.
            unsafe { libc::_exit(1) }
        }
    }
}

fn fork() -> std::io::Result<libc::pid_t> {
    // SAFETY: called in the single-threaded child of `pre_exec`; both sides make only system calls until exec.
    check(unsafe { libc::fork() })
}

fn mount(
    source: &CStr,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
) -> std::io::Result<()> {
    let kind = kind.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: all pointers are NUL-terminated strings that outlive the call, or null where mount(2) allows it.
    check(unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind,
            flags,
            std::ptr::null(),
        )
    })?;
    Ok(())
}

fn check(result: libc::c_int) -> std::io::Result<libc::c_int> {
    if result < 0 {
        Err(std::io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
/// Says something that a reader of the test's output wants to know.
pub fn note(text: &str) {
    eprintln!("{text}");
}
