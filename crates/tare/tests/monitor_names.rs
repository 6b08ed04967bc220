//! Names that a container's programs ask for, answered by its monitor.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod monitored;

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dns::{A, AAAA, Code, Frames, Name, PTR, Query, Reply, frame};
use kernel::namespace::{Kind, open, setns_one, unshare};
use monitored::Bench;
use protocol::names::{ADDRESS, Directory, Owner, Resolution, Scope, Server};
use protocol::{GivenNetwork, Request, launch};
use spec::runtime::NamespaceKind;

const PATIENCE: Duration = Duration::from_secs(10);

/// A container whose monitor answers names.
struct Place {
    bench: Bench,
    namespace: OwnedFd,
    udp: SocketAddr,
    tcp: SocketAddr,
}

impl Place {
    fn new() -> Self {
        let made = thread::spawn(|| {
            unshare(&[Kind::Net]).unwrap();
            kernel::netlink::loopback_up().unwrap();
            let udp = UdpSocket::bind((ADDRESS, 0)).unwrap();
            let tcp = TcpListener::bind((ADDRESS, 0)).unwrap();
            let tid = thread_number();
            (open(Some(tid), Kind::Net).unwrap(), udp, tcp)
        });
        let (namespace, udp, tcp) = made.join().unwrap();
        let (at_udp, at_tcp) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        let mut bench = Bench::new();
        bench.given = vec![
            (namespace.try_clone().unwrap(), launch::NETWORK_FD),
            (udp.into(), launch::NAMES_UDP_FD),
            (tcp.into(), launch::NAMES_TCP_FD),
        ];
        let mut document = bench.command(&["sleep", "100"]);
        document.network = GivenNetwork::Names;
        let namespaces = &mut document.spec.linux.as_mut().unwrap().namespaces;
        for namespace in namespaces {
            if namespace.kind == NamespaceKind::Network {
                namespace.path = format!("/proc/self/fd/{}", launch::NETWORK_FD);
            }
        }
        bench.start(&document);
        Self {
            bench,
            namespace,
            udp: at_udp,
            tcp: at_tcp,
        }
    }

    /// Says what the container knows: one network, these servers.
    fn resolve(&self, servers: &[Server]) {
        let directory = self.bench.dir.path().join("network");
        fs::create_dir_all(directory).unwrap();
        let resolution = Resolution {
            v: Resolution::VERSION,
            scopes: vec![Scope {
                network: "front".to_owned(),
                directory: "../../../network".to_owned(),
                links: [("alias".to_owned(), "web".to_owned())].into(),
            }],
            servers: servers.to_vec(),
            hosts: [(
                "host.docker.internal".to_owned(),
                vec![[10, 0, 0, 1].into()],
            )]
            .into(),
        };
        resolution
            .write(File::open(self.bench.run_dir()).unwrap())
            .unwrap();
    }

    fn names(&self) -> Directory {
        Directory::open(File::open(self.bench.dir.path()).unwrap(), "network").unwrap()
    }

    /// Runs in the container's network.
    fn inside<T: Send + 'static>(&self, run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let namespace = self.namespace.try_clone().unwrap();
        thread::spawn(move || {
            setns_one(&namespace, Kind::Net).unwrap();
            run()
        })
    }

    /// Asks over UDP: the code, how many answers, and the message.
    fn ask(&self, name: &str, kind: u16) -> (u8, u8, Vec<u8>) {
        let (question, at) = (question(name, kind), self.udp);
        let message = self.inside(move || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let mut buffer = [0; 4096];
            // As programs do: a datagram that finds no room is lost, and sent again.
            socket.set_read_timeout(Some(PATIENCE / 20)).unwrap();
            let mut ask = || {
                socket.send_to(&question, at).unwrap();
                socket.recv_from(&mut buffer)
            };
            let answer = (0..20).find_map(|_| ask().ok());
            let (length, from) = answer.expect("an answer");
            assert_eq!(from, at);
            buffer[..length].to_vec()
        });
        summary(message.join().unwrap())
    }

    fn ask_by_stream(&self, name: &str, kind: u16) -> (u8, u8, Vec<u8>) {
        let (question, at) = (question(name, kind), self.tcp);
        let message = self.inside(move || {
            let mut stream = TcpStream::connect(at).unwrap();
            stream.write_all(&frame(&question).unwrap()).unwrap();
            next_message(&mut stream).unwrap()
        });
        summary(message.join().unwrap())
    }

    fn end(self) {
        let kill = Request::Signal {
            signal: kernel::signal::SIGKILL,
            exec: None,
        };
        self.bench.call(&kill);
        self.bench.wait();
        drop(fs::remove_file(self.bench.run_dir().join("names")));
    }
}

fn thread_number() -> kernel::Pid {
    // The thread's own; `/proc/self` is the first thread's.
    let link = fs::read_link("/proc/thread-self").unwrap();
    let digits = link.file_name().unwrap().to_str().unwrap();
    kernel::Pid::from_raw(digits.parse().unwrap()).unwrap()
}

fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut message = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0".to_vec();
    message.extend(Name::parse(name).unwrap().wire());
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    message
}

fn summary(message: Vec<u8>) -> (u8, u8, Vec<u8>) {
    assert_eq!(&message[..2], b"\x12\x34");
    (message[3] & 0xf, message[7], message)
}

fn next_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut frames = Frames::default();
    let mut chunk = [0; 4096];
    loop {
        if let Some(message) = frames.pop().unwrap() {
            return Some(message);
        }
        match stream.read(&mut chunk) {
            Ok(length) if length > 0 => frames.push(&chunk[..length]),
            Ok(_) => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        }
    }
}

fn owner(id: &str, last: u8) -> Owner {
    Owner {
        id: id.to_owned(),
        v4: Some([10, 0, 0, last].into()),
        v6: None,
    }
}

/// A server on the host that knows every name: 200 addresses of it, cut short over UDP. It answers `count` questions of each kind.
fn server(datagrams: usize, streams: usize) -> (Server, Vec<JoinHandle<()>>) {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = udp.local_addr().unwrap();
    let tcp = TcpListener::bind(address).unwrap();
    let answer = |message: &[u8], limit| {
        let query = Query::read(message).unwrap();
        let mut reply = Reply::new(&query, limit);
        for n in 0..200 {
            reply.address(60, Ipv4Addr::new(192, 0, 2, n).into());
        }
        reply.finish(Code::NoError)
    };
    let by_datagram = thread::spawn(move || {
        udp.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 4096];
        for _ in 0..datagrams {
            let (length, from) = udp.recv_from(&mut buffer).unwrap();
            let reply = answer(&buffer[..length], 512);
            // A forged answer first: right name, wrong number.
            let mut forged = reply.clone();
            forged[1] ^= 1;
            udp.send_to(&forged, from).unwrap();
            udp.send_to(&reply, from).unwrap();
        }
    });
    let by_stream = thread::spawn(move || {
        for _ in 0..streams {
            let (mut stream, _) = tcp.accept().unwrap();
            let message = next_message(&mut stream).unwrap();
            let framed = frame(&answer(&message, dns::LARGEST)).unwrap();
            stream.write_all(&framed).unwrap();
        }
    });
    let server = Server {
        address,
        inside: false,
    };
    (server, vec![by_datagram, by_stream])
}

#[test]
fn names_of_the_network_are_answered_as_they_come_and_go() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    // Before the engine has said anything: nothing is known, and nobody asked.
    assert_eq!(place.ask("web", A).0, 3);
    place.resolve(&[]);
    assert_eq!(place.ask("web", A).0, 3);
    let web = ["web".to_owned(), "service".to_owned()];
    place.names().give(&owner("a", 2), &web).unwrap();
    let (code, count, message) = place.ask("WeB", A);
    assert_eq!((code, count), (0, 1));
    assert!(message.ends_with(&[10, 0, 0, 2]));
    for name in ["alias", "web.front", "service", "host.docker.internal"] {
        assert_eq!(place.ask(name, A).1, 1, "{name}");
    }
    assert_eq!(place.ask_by_stream("web", A).1, 1);
    let (code, count, _) = place.ask("web", AAAA);
    assert_eq!(
        (code, count),
        (0, 0),
        "a name without an address of the kind is still a name"
    );
    let pointer = dns::pointer_name(IpAddr::from([10, 0, 0, 2]));
    assert!(place.ask(&pointer, PTR).2.ends_with(b"\x03web\x05front\0"));
    place
        .names()
        .give(&owner("b", 3), &["other".to_owned(), "service".to_owned()])
        .unwrap();
    let firsts: Vec<Vec<u8>> = (0..2)
        .map(|_| place.ask("service", A).2)
        .map(|message| message[message.len() - 4..].to_vec())
        .collect();
    assert_ne!(firsts[0], firsts[1], "owners take turns");
    place.names().take(&owner("a", 2), &web).unwrap();
    assert_eq!(place.ask("web", A).0, 3);
    assert_eq!(place.ask("service", A).1, 1);
    // Nothing leaves: at once, no address and no denial.
    assert_eq!(place.ask("example.com", A).0, 2);
    place.end();
}

#[test]
fn everything_else_is_asked_on_the_host_and_large_answers_come_over_tcp() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    // The sandbox is a host without a network of its own.
    kernel::netlink::loopback_up().unwrap();
    let (server, threads) = server(1, 1);
    // Nobody listens at the first; from within the container's network nobody can be reached at all.
    let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = Server {
        address: closed,
        inside: false,
    };
    let inside = Server {
        address: server.address,
        inside: true,
    };
    place.resolve(&[nobody, inside, server]);
    let (code, count, message) = place.ask("example.com", A);
    assert_eq!(code, 0);
    assert!((1..200).contains(&count));
    assert_eq!(message[2] & 2, 2, "truncated");
    assert_eq!(place.ask_by_stream("example.com", A).1, 200);
    for thread in threads {
        thread.join().unwrap();
    }
    place.resolve(&[nobody]);
    assert_eq!(place.ask("example.com", A).0, 2);
    assert_eq!(place.ask_by_stream("example.com", A).0, 2);
    place.end();
}

/// CVE-2024-8418 and its like: one program that holds connections or sends garbage is in nobody's way.
#[test]
fn held_connections_and_garbage_keep_nobody_waiting() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    place.resolve(&[]);
    place
        .names()
        .give(&owner("a", 2), &["web".to_owned()])
        .unwrap();
    let (udp, tcp) = (place.udp, place.tcp);
    let held = place.inside(move || {
        let hold = || TcpStream::connect(tcp).unwrap();
        let held: Vec<TcpStream> = (0..200).map(|_| hold()).collect();
        for bytes in [
            &b"\0\0"[..],
            b"\xff\xff",
            b"\0\x0c\0\0\x80\0\0\0\0\0\0\0\0\0",
            b"\0\x05hello",
        ] {
            let mut stream = hold();
            stream.write_all(bytes).unwrap();
            assert_eq!(next_message(&mut stream), None, "{bytes:?}");
        }
        // What isn't sound as a question is answered as such, and the connection goes on.
        let mut stream = hold();
        let loops = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01";
        stream.write_all(&frame(loops).unwrap()).unwrap();
        assert_eq!(next_message(&mut stream).unwrap()[3] & 0xf, 1);
        stream
            .write_all(&frame(&question("web", A)).unwrap())
            .unwrap();
        assert_eq!(next_message(&mut stream).unwrap()[7], 1);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut noise = 0x9e37_79b9_u32;
        for _ in 0..10_000 {
            let bytes: Vec<u8> = (0..noise % 64)
                .map(|_| {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    noise.to_be_bytes()[0]
                })
                .collect();
            noise = noise.wrapping_add(1);
            // Its buffer may be full.
            drop(socket.send_to(&bytes, udp));
        }
        held
    });
    let held = held.join().unwrap();
    assert_eq!(place.ask("web", A).1, 1);
    assert_eq!(place.ask_by_stream("web", A).1, 1);
    drop(held);
    place.end();
}
