//! A small world in the test's own network namespace: the host, a LAN behind it, and containers.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "each test uses a part of it; a step that fails is a test that fails; commands are witnesses"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use kernel::namespace::{self, Kind};
use network::fabric::{Config, new_namespace};
use network::publish::{Publish, decide};
use network::{
    Binding, Driver, Endpoint, Fabric, Family, Mac, Network, NetworkId, Options, Pool, ipam,
};
use spec::ContainerId;

/// How long an answer may take that should come, and how long is waited for one that should not.
const SOON: Duration = Duration::from_secs(3);
const NEVER: Duration = Duration::from_millis(250);

/// Runs a command that must succeed, in the calling thread's namespace.
#[track_caller]
pub(crate) fn run(command: &str) -> String {
    let out = Command::new("sh").args(["-ec", command]).output().unwrap();
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{command}: {error}");
    String::from_utf8(out.stdout).unwrap()
}

type Work = Box<dyn FnOnce() + Send>;

/// A network namespace with a thread in it.
pub(crate) struct Place {
    pub(crate) namespace: OwnedFd,
    work: mpsc::Sender<Work>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let namespace = new_namespace().unwrap();
        let there = namespace.try_clone().unwrap();
        let (work, todo) = mpsc::channel::<Work>();
        std::thread::spawn(move || {
            namespace::setns_one(&there, Kind::Net).unwrap();
            for one in todo {
                one();
            }
        });
        Self { namespace, work }
    }

    /// Does something there and waits for it.
    #[track_caller]
    pub(crate) fn within<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        let work = move || drop(done.send(what()));
        self.work.send(Box::new(work)).unwrap();
        result.recv().expect("it works there")
    }

    #[track_caller]
    pub(crate) fn run(&self, command: &str) -> String {
        let command = command.to_owned();
        self.within(move || run(&command))
    }

    /// Answers on a TCP port with the name of the place and the address of whoever asks.
    pub(crate) fn serve(&self, name: &'static str, address: &str) {
        let address: SocketAddr = address.parse().unwrap();
        self.within(move || serve(name, address));
    }

    /// What a server says to somebody here; nothing if there is no answer.
    #[track_caller]
    pub(crate) fn ask(&self, address: &str) -> Option<String> {
        let address: SocketAddr = address.parse().unwrap();
        self.within(move || ask(address, SOON))
    }

    /// Nobody answers.
    #[track_caller]
    pub(crate) fn asks_in_vain(&self, address: &str) {
        let to: SocketAddr = address.parse().unwrap();
        let heard = self.within(move || ask(to, NEVER));
        assert_eq!(heard, None, "{address}");
    }
}

pub(crate) fn serve(name: &'static str, address: SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let peer = stream.peer_addr().map(|peer| peer.ip().to_canonical());
            drop(write!(stream, "{name} {}", peer.unwrap()));
        }
    });
}

pub(crate) fn ask(address: SocketAddr, patience: Duration) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Answers each datagram with the name and the address of whoever asks.
pub(crate) fn serve_udp(name: &'static str, socket: UdpSocket) {
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
            drop(socket.send_to(format!("{name} {}", peer.ip()).as_bytes(), peer));
        }
    });
}

pub(crate) fn ask_udp(socket: &UdpSocket, to: &str, patience: Duration) -> Option<String> {
    let mut buffer = [0; 64];
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(b"hello", to).ok()?;
    let (got, _) = socket.recv_from(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..got]).into_owned())
}

/// The host (the calling thread's namespace) with `lo`, and a LAN (192.0.2.0/24, 2001:db8::/64) behind `lan0`; its default route leads there.
pub(crate) struct World {
    pub(crate) fabric: Fabric,
    pub(crate) lan: Place,
    pub(crate) run: tempfile::TempDir,
}

pub(crate) const HOST: &str = "192.0.2.1";

impl World {
    pub(crate) fn new(_: &testkit::sandbox::Sandbox) -> Self {
        run("ip link set lo up");
        let lan = Place::new();
        lan.within(|| ());
        run("ip link add lan0 mtu 1450 type veth peer name lan1");
        // A link is moved by the number of a process there; a thread's is one too.
        let thread = lan.within(|| rustix::thread::gettid().as_raw_nonzero().get());
        run(&format!(
            "ip link set lan1 netns {thread}; ip addr add {HOST}/24 dev lan0; ip addr add 2001:db8::1/64 dev lan0 nodad
             ip link set lan0 up; ip route add default via 192.0.2.9; ip -6 route add default via 2001:db8::9"
        ));
        lan.run("ip addr add 192.0.2.9/24 dev lan1; ip addr add 2001:db8::9/64 dev lan1 nodad; ip link set lan1 mtu 1450 up");
        let dir = tempfile::tempdir().unwrap();
        Self {
            fabric: fabric(dir.path()),
            lan,
            run: dir,
        }
    }
}

pub(crate) fn fabric(run: &Path) -> Fabric {
    Fabric::new(Config {
        run: run.to_owned(),
        tag: "test".to_owned(),
    })
}

/// A bridge network with these subnets; its id follows from its name.
pub(crate) fn network(name: &str, subnets: &str) -> Network {
    let mut bytes = [0; 32];
    for (byte, letter) in bytes.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    let pools = subnets.split(' ').map(|subnet| {
        let pool = Pool {
            subnet: subnet.parse().unwrap(),
            range: None,
            gateway: None,
            aux: BTreeMap::new(),
        };
        ipam::complete(pool, &[]).unwrap()
    });
    Network {
        id: NetworkId::from_bytes(bytes),
        name: name.to_owned(),
        driver: Driver::Bridge,
        pools: pools.collect(),
        internal: false,
        attachable: false,
        options: Options::default(),
        raw_options: BTreeMap::new(),
        labels: BTreeMap::new(),
        created_at: 0,
    }
}

/// The `n`th container's endpoint: the last part of its addresses is `n`.
pub(crate) fn endpoint(network: &Network, n: u16) -> Endpoint {
    let [high, low] = n.to_be_bytes();
    let mut id = [low; 32];
    id[1] = high;
    let v4 = network
        .pools_of(Family::V4)
        .next()
        .map(|pool| match pool.subnet.address() {
            IpAddr::V4(v4) => std::net::Ipv4Addr::from_bits(v4.to_bits() + u32::from(n)),
            IpAddr::V6(_) => unreachable!(),
        });
    let v6 = network
        .pools_of(Family::V6)
        .next()
        .map(|pool| match pool.subnet.address() {
            IpAddr::V6(v6) => std::net::Ipv6Addr::from_bits(v6.to_bits() + u128::from(n)),
            IpAddr::V4(_) => unreachable!(),
        });
    Endpoint {
        network: network.id.clone(),
        container: ContainerId::from_bytes(id),
        interface: "eth0".to_owned(),
        mac: v4.map_or(Mac::new([2, 0x43, 0, 0, high, low]), Mac::of_ipv4),
        v4,
        v6,
        extra: Vec::new(),
        aliases: Vec::new(),
        gateway_priority: 0,
        driver_opts: BTreeMap::new(),
    }
}

/// A container of one network, with published ports as `-p` says them: `[IP:]HOST:CONTAINER[/udp]`.
pub(crate) struct Container {
    pub(crate) place: Place,
    pub(crate) endpoint: Endpoint,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) warnings: Vec<network::Warning>,
}

impl World {
    #[track_caller]
    pub(crate) fn start(&self, network: &Network, n: u16, ports: &[&str]) -> Container {
        let place = Place::new();
        let endpoint = endpoint(network, n);
        let wishes: Vec<Publish> = ports.iter().map(|port| wish(port)).collect();
        let bindings = decide(&wishes, network, &endpoint, &[], &self.fabric).unwrap();
        let attached = self
            .fabric
            .attach(&[(network, &endpoint)], &bindings, place.namespace.as_fd())
            .unwrap();
        Container {
            place,
            endpoint,
            bindings,
            warnings: attached.warnings,
        }
    }

    /// The links, rules and sysctls of the host.
    pub(crate) fn snapshot(&self) -> String {
        run(
            "ip -o link | sed 's/^[0-9]*: //' | grep -v 'lan0' | sort; nft list ruleset
             sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv6.conf.lan0.accept_ra",
        )
    }
}

pub(crate) fn wish(text: &str) -> Publish {
    let (text, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (rest, container) = text.rsplit_once(':').unwrap();
    let (host_ip, host) = rest.rsplit_once(':').map_or((None, rest), |(ip, host)| {
        (Some(ip.trim_matches(['[', ']']).parse().unwrap()), host)
    });
    let ports = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        network::Ports::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
    };
    Publish {
        host_ip,
        host: Some(ports(host)),
        container: ports(container),
        protocol: protocol.parse().unwrap(),
    }
}
