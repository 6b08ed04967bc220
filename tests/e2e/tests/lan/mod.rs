//! Another host beside the sandbox: a network namespace with one link, 192.0.2.9, to the sandbox's 192.0.2.1.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    dead_code,
    reason = "tests"
)]

use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::thread;

/// The other host.
pub(crate) struct Lan {
    namespace: std::fs::File,
}

fn ip(args: &str) {
    let out = Command::new("ip").args(args.split(' ')).output().unwrap();
    assert!(
        out.status.success(),
        "ip {args}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// Brings up the sandbox's own loopback link, as every host has it.
pub(crate) fn loopback_up() {
    ip("link set lo up");
}

/// All links of the sandbox.
pub(crate) fn links() -> String {
    let out = Command::new("ip").args(["-o", "link"]).output().unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// All rules of the sandbox.
pub(crate) fn rules() -> String {
    let out = Command::new("nft")
        .args(["list", "ruleset"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let counted = |line: &&str| !line.contains("packets");
    text.lines().filter(counted).collect::<Vec<_>>().join("\n")
}

/// What a careless administrator does.
pub(crate) fn flush_rules() {
    assert!(
        Command::new("nft")
            .args(["flush", "ruleset"])
            .status()
            .unwrap()
            .success()
    );
}

/// Kills the parent of a process.
pub(crate) fn kill_parent(pid: &str) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let parent = stat
        .rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let parent = rustix::process::Pid::from_raw(parent).unwrap();
    rustix::process::kill_process(parent, rustix::process::Signal::KILL).unwrap();
}

/// Runs in the network of a process.
pub(crate) fn inside_of<T: Send>(pid: &str, run: impl FnOnce() -> T + Send) -> T {
    let namespace = std::fs::File::open(format!("/proc/{pid}/ns/net")).unwrap();
    within(&namespace, run)
}

fn within<T: Send>(namespace: &std::fs::File, run: impl FnOnce() -> T + Send) -> T {
    let enter = || {
        let kind = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(namespace.as_fd(), kind).unwrap();
        run()
    };
    thread::scope(|scope| scope.spawn(enter).join().unwrap())
}

impl Lan {
    #[expect(
        deprecated,
        reason = "a thread's network namespace is nothing that others of the process rely on"
    )]
    pub(crate) fn new() -> Self {
        // A namespace lives while a descriptor of it is open.
        let make = || {
            rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNET).unwrap();
            std::fs::File::open("/proc/thread-self/ns/net").unwrap()
        };
        let namespace = thread::spawn(make).join().unwrap();
        let lan = Self { namespace };
        let path = format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            lan.namespace.as_raw_fd()
        );
        ip(&format!(
            "link add lan0 type veth peer name eth0 netns {path}"
        ));
        ip("addr add 192.0.2.1/24 dev lan0");
        ip("link set lan0 up");
        lan.inside(|| {
            ip("link set lo up");
            ip("addr add 192.0.2.9/24 dev eth0");
            ip("link set eth0 up");
        });
        lan
    }

    /// Runs on the other host.
    pub(crate) fn inside<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        within(&self.namespace, run)
    }

    /// Has the other host send what is for an address to the sandbox.
    pub(crate) fn route(&self, address: &str) {
        let address = address.to_owned();
        self.inside(move || {
            if address.starts_with("127.") {
                std::fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1").unwrap();
                std::fs::write("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1").unwrap();
                ip("route del local 127.0.0.0/8 dev lo table local");
                ip("route del local 127.0.0.1 dev lo table local");
            }
            ip(&format!("route add {address}/32 via 192.0.2.1"));
        });
    }

    /// Takes the link away.
    pub(crate) fn end(self) {
        ip("link del lan0");
    }
}
