//! What containers reach and how they are reached, seen from inside, from the host, and from other hosts that the test makes of network namespaces.
#![allow(clippy::unwrap_used, reason = "tests")]

mod lan;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use lan::Lan;
use serde_json::Value;
use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    containers_reach_each_other_by_name_and_the_host_by_its,
    a_published_port_is_reached_from_everywhere_with_the_callers_address,
    ports_of_one_address_of_udp_and_any_free_one,
    a_taken_port_is_refused_and_its_holder_named,
    another_containers_network_is_shared,
    names_and_addresses_that_were_asked_for,
    links_tell_their_name_and_environment_and_follow_a_restart,
    nothing_stays_when_no_container_needs_it,
);

const WEB: &str = "mkdir /w; echo hello >/w/index.html; echo '/cgi-bin/who:' >/dev/null; \
mkdir /w/cgi-bin; printf '#!/bin/sh\\necho; echo $REMOTE_ADDR\\n' >/w/cgi-bin/who; chmod 755 /w/cgi-bin/who; httpd -f -p 80 -h /w";

/// Waits until `ready` or panics with `what` after 10 s.
#[track_caller]
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !ready() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn host(sandbox: &Sandbox, transport: Transport) -> Host {
    lan::loopback_up();
    Host::with_busybox(sandbox, transport)
}

/// What a web server answers; none if it can't be reached in time.
fn get(at: SocketAddr, path: &str) -> Option<String> {
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&at, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let body = text.split_once("\r\n\r\n").or(text.split_once("\n\n"))?.1;
    Some(body.trim().to_owned())
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn inspect(host: &Host, name: &str) -> Value {
    let text = host
        .tare(["inspect", "-f", "{{json .NetworkSettings}}", name])
        .ok();
    serde_json::from_str(&text).unwrap()
}

/// Starts a web server and waits until it serves.
fn serve(host: &Host, args: &[&str]) {
    let all = [&["run", "-d"], args, &["busybox", "sh", "-c", WEB]].concat();
    let id = host.tare(all).ok();
    until("the server listens", || {
        host.tare(["exec", &id, "wget", "-qO-", "http://127.0.0.1/"])
            .code
            == 0
    });
}

fn containers_reach_each_other_by_name_and_the_host_by_its(
    sandbox: &Sandbox,
    transport: Transport,
) {
    let host = host(sandbox, transport);
    serve(&host, &["--name", "web", "--network-alias", "service"]);
    let inside = |script: &str| {
        host.tare(["run", "--rm", "busybox", "sh", "-c", script])
            .ok()
    };
    let id = host.tare(["inspect", "-f", "{{.Id}}", "web"]).ok();
    for name in ["web", "WEB", "service", &id[..12], "web.bridge"] {
        assert_eq!(
            inside(&format!("wget -qO- http://{name}/")),
            "hello",
            "{name}"
        );
    }
    let address = inspect(&host, "web")["IPAddress"]
        .as_str()
        .unwrap()
        .to_owned();
    let pointer = inside(&format!("nslookup {address}"));
    assert!(pointer.contains("web.bridge"), "{pointer}");
    // The host answers at the name that it has for its containers.
    let server = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = server.local_addr().unwrap().port();
    server.set_nonblocking(true).unwrap();
    let caller = std::thread::spawn(move || {
        let mut caller = None;
        until("the host is called", || {
            caller = server.accept().ok();
            caller.is_some()
        });
        caller.unwrap().1
    });
    let _sent = inside(&format!("nc -w 5 host.docker.internal {port} </dev/null"));
    let caller = caller.join().unwrap();
    assert!(caller.ip().to_string().starts_with("172."), "{caller}");
    // A name that is gone is gone at once.
    let _gone = host.tare(["rm", "-f", "web"]).ok();
    let said = host.tare(["run", "--rm", "busybox", "nslookup", "web"]);
    assert_ne!(said.code, 0, "{}", said.stdout);
    host.finish();
}

fn a_published_port_is_reached_from_everywhere_with_the_callers_address(
    sandbox: &Sandbox,
    transport: Transport,
) {
    let host = host(sandbox, transport);
    let lan = Lan::new();
    serve(&host, &["--name", "web", "-p", "8080:80"]);
    for address in ["127.0.0.1:8080", "192.0.2.1:8080"] {
        assert_eq!(get(at(address), "/").as_deref(), Some("hello"), "{address}");
    }
    let refused = TcpStream::connect(at("[::1]:8080")).unwrap_err();
    assert_eq!(
        refused.kind(),
        std::io::ErrorKind::ConnectionRefused,
        "callers of localhost go on to 127.0.0.1"
    );
    assert_eq!(
        lan.inside(|| get(at("192.0.2.1:8080"), "/cgi-bin/who"))
            .as_deref(),
        Some("[::ffff:192.0.2.9]"),
        "its own address is seen"
    );
    // From another container, and from itself, by the host's address.
    for name in ["other", "web"] {
        let args = if name == "web" {
            ["exec", "web"].as_slice()
        } else {
            &["run", "--rm", "busybox"]
        };
        let all = [args, &["wget", "-qO-", "http://192.0.2.1:8080/"]].concat();
        assert_eq!(host.tare(all).ok(), "hello", "{name}");
    }
    let settings = inspect(&host, "web");
    assert_eq!(settings["Ports"]["80/tcp"][0]["HostPort"], "8080");
    assert_eq!(
        host.tare(["port", "web", "80"]).ok(),
        "0.0.0.0:8080\n[::]:8080"
    );
    let shown = host.tare(["ps", "--format", "{{.Ports}}"]).ok();
    assert_eq!(shown, "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
    // J2: the container's own address is nobody's way in, published or not.
    let own = settings["IPAddress"].as_str().unwrap().to_owned();
    lan.route(&own);
    assert_eq!(lan.inside(move || get(at(&format!("{own}:80")), "/")), None);
    let _stopped = host.tare(["stop", "-t", "0", "web"]).ok();
    assert_eq!(get(at("127.0.0.1:8080"), "/"), None);
    lan.end();
    host.finish();
}

fn ports_of_one_address_of_udp_and_any_free_one(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    let lan = Lan::new();
    serve(&host, &["--name", "own", "-p", "127.0.0.1:8080:80"]);
    assert_eq!(get(at("127.0.0.1:8080"), "/").as_deref(), Some("hello"));
    // J1, J3: what is for the host alone is so, also for who routes 127.0.0.1 to it.
    lan.route("127.0.0.1");
    assert_eq!(lan.inside(|| get(at("192.0.2.1:8080"), "/")), None);
    assert_eq!(lan.inside(|| get(at("127.0.0.1:8080"), "/")), None);
    serve(&host, &["--name", "any", "-p", "80", "--expose", "90"]);
    let port = host.tare(["port", "any", "80/tcp"]).ok();
    let port = port
        .lines()
        .next()
        .unwrap()
        .rsplit_once(':')
        .unwrap()
        .1
        .to_owned();
    assert!(port.parse::<u16>().unwrap() >= 1024, "{port}");
    assert_eq!(
        get(at(&format!("127.0.0.1:{port}")), "/").as_deref(),
        Some("hello")
    );
    let shown = host
        .tare(["ps", "--filter", "name=any", "--format", "{{.Ports}}"])
        .ok();
    assert!(shown.ends_with("90/tcp"), "{shown}");
    serve(&host, &["--name", "all", "-P", "--expose", "80"]);
    let all = host.tare(["port", "all"]).ok();
    assert!(all.starts_with("80/tcp -> 0.0.0.0:"), "{all}");
    let _echo = host
        .tare([
            "run",
            "-d",
            "--name",
            "echo",
            "-p",
            "5000-5002:5000-5002/udp",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    let pid = host.tare(["inspect", "-f", "{{.State.Pid}}", "echo"]).ok();
    let echo = lan::inside_of(&pid, || UdpSocket::bind("0.0.0.0:5001").unwrap());
    // It holds the container's network: it ends with the story.
    let ending = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ends = ending.clone();
    let echoing = std::thread::spawn(move || {
        echo.set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let mut buffer = [0; 16];
        while !ends.load(std::sync::atomic::Ordering::Relaxed) {
            if let Ok((n, from)) = echo.recv_from(&mut buffer) {
                drop(echo.send_to(&buffer[..n], from));
            }
        }
    });
    let shown = host
        .tare(["ps", "--filter", "name=echo", "--format", "{{.Ports}}"])
        .ok();
    assert_eq!(
        shown,
        "0.0.0.0:5000-5002->5000-5002/udp, [::]:5000-5002->5000-5002/udp"
    );
    let answered = lan.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let mut buffer = [0; 16];
        (0..100).any(|_| {
            socket.send_to(b"ping", "192.0.2.1:5001").unwrap();
            socket.recv_from(&mut buffer).is_ok_and(|(n, from)| {
                &buffer[..n] == b"ping" && from.ip() == Ipv4Addr::new(192, 0, 2, 1)
            })
        })
    });
    assert!(answered, "UDP comes back from where it was sent to");
    ending.store(true, std::sync::atomic::Ordering::Relaxed);
    echoing.join().unwrap();
    lan.end();
    host.finish();
}

fn a_taken_port_is_refused_and_its_holder_named(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    serve(&host, &["--name", "first", "-p", "8080:80"]);
    let before = lan::rules();
    for (wanted, names) in [
        ("8080:80", "container first publishes 8080/tcp"),
        ("127.0.0.1:8080:80", "container first publishes 8080/tcp"),
        ("8079-8081:79-81", "container first publishes 8080/tcp"),
    ] {
        let said = host
            .tare([
                "run", "--rm", "--name", "second", "-p", wanted, "busybox", "true",
            ])
            .fails(125);
        assert!(said.contains("port is already allocated"), "{said}");
        assert!(said.contains(names), "{said}");
    }
    let server = std::net::TcpListener::bind("0.0.0.0:9999").unwrap();
    let said = host
        .tare(["run", "--rm", "-p", "9999:80", "busybox", "true"])
        .fails(125);
    assert!(said.contains("address already in use"), "{said}");
    assert!(
        said.contains(&format!("(pid {})", std::process::id())),
        "{said}"
    );
    drop(server);
    assert_eq!(lan::rules(), before, "nothing has changed");
    // A port of a range where one is taken: the next.
    serve(&host, &["--name", "third", "-p", "8080-8082:80"]);
    assert!(host.tare(["port", "third"]).ok().contains("8081"));
    // One that was killed with its monitor holds nothing.
    let pid = host.tare(["inspect", "-f", "{{.State.Pid}}", "first"]).ok();
    lan::kill_parent(&pid);
    until("the container is gone", || {
        !std::path::Path::new(&format!("/proc/{pid}/exe")).exists()
    });
    serve(&host, &["--name", "fourth", "-p", "8080:80"]);
    assert_eq!(get(at("127.0.0.1:8080"), "/").as_deref(), Some("hello"));
    host.finish();
}

fn another_containers_network_is_shared(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    serve(&host, &["--name", "web", "--hostname", "front"]);
    let shared = |args: &[&str]| {
        let all = [
            &["run", "--rm", "--network", "container:web", "busybox"],
            args,
        ]
        .concat();
        host.tare(all).ok()
    };
    assert_eq!(shared(&["wget", "-qO-", "http://127.0.0.1/"]), "hello");
    assert_eq!(shared(&["hostname"]), "front");
    assert!(shared(&["cat", "/etc/hosts"]).contains("front"));
    assert_eq!(
        shared(&["cat", "/etc/resolv.conf"]),
        host.tare(["exec", "web", "cat", "/etc/resolv.conf"]).ok()
    );
    for (args, said) in [
        (
            ["-p", "80:80"],
            "port publishing and the container type network mode",
        ),
        (["--hostname", "x"], "hostname and the network mode"),
        (["--dns", "10.0.0.1"], "dns and the network mode"),
        (["--link", "web"], "can't be used with links"),
    ] {
        let all = [
            &["run", "--rm", "--network", "container:web"],
            &args[..],
            &["busybox", "true"],
        ]
        .concat();
        let error = host.tare(all).fails(125);
        assert!(error.contains(said), "{error}");
    }
    let error = host
        .tare([
            "run",
            "--rm",
            "--network",
            "container:nobody",
            "busybox",
            "true",
        ])
        .fails(125);
    assert!(error.contains("No such container: nobody"), "{error}");
    let _stopped = host.tare(["stop", "-t", "0", "web"]).ok();
    let error = host
        .tare([
            "run",
            "--rm",
            "--network",
            "container:web",
            "busybox",
            "true",
        ])
        .fails(125);
    assert!(error.contains("web is not running"), "{error}");
    host.finish();
}

fn names_and_addresses_that_were_asked_for(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    let out = host
        .tare([
            "run",
            "--rm",
            "--hostname",
            "web",
            "--domainname",
            "lan",
            "--add-host",
            "db:10.9.8.7",
            "--add-host",
            "gate=host-gateway",
            "--dns",
            "10.9.8.1",
            "--dns-search",
            "example.org",
            "--dns-option",
            "timeout:1",
            "--ip",
            "172.17.9.9",
            "--mac-address",
            "02:42:ac:11:09:0a",
            "busybox",
            "sh",
            "-c",
            "cat /etc/hosts /etc/resolv.conf; ip addr show eth0",
        ])
        .ok();
    for line in [
        "10.9.8.7\tdb",
        "172.17.0.1\tgate",
        "172.17.9.9\tweb.lan web",
        "nameserver 127.0.0.11",
        "search example.org",
        "options timeout:1 ndots:0",
        "inet 172.17.9.9/16",
        "link/ether 02:42:ac:11:09:0a",
    ] {
        assert!(out.contains(line), "{line} in {out}");
    }
    for (args, said) in [
        (["--ip", "10.1.2.3"], "no configured subnet"),
        (["--ip", "nonsense"], "invalid IPv4 address"),
        (["--mac-address", "x"], "not a valid mac address"),
        (["--network-alias", "a b"], "invalid network alias"),
        (["--link-local-ip", "10.0.0.1"], "invalid link-local"),
    ] {
        let all = [&["run", "--rm"], &args[..], &["busybox", "true"]].concat();
        let error = host.tare(all).fails(125);
        assert!(error.contains(said), "{args:?}: {error}");
    }
    assert_eq!(host.tare(["ps", "-aq"]).ok(), "");
    host.finish();
}

fn links_tell_their_name_and_environment_and_follow_a_restart(
    sandbox: &Sandbox,
    transport: Transport,
) {
    let host = host(sandbox, transport);
    serve(
        &host,
        &["--name", "db", "-e", "PASSWORD=secret", "--expose", "80"],
    );
    let address = |name: &str| {
        inspect(&host, name)["IPAddress"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = address("db");
    let _app = host
        .tare([
            "run", "-d", "--name", "app", "--link", "db:data", "busybox", "sleep", "1000",
        ])
        .ok();
    let env = host.tare(["exec", "app", "env"]).ok();
    for line in [
        format!("DATA_PORT=tcp://{first}:80"),
        format!("DATA_PORT_80_TCP_ADDR={first}"),
        "DATA_NAME=/app/data".to_owned(),
        "DATA_ENV_PASSWORD=secret".to_owned(),
    ] {
        assert!(env.lines().any(|one| one == line), "{line} in {env}");
    }
    let hosts = || host.tare(["exec", "app", "cat", "/etc/hosts"]).ok();
    assert!(hosts().contains(&format!("{first}\tdata ")), "{}", hosts());
    assert_eq!(
        host.tare(["exec", "app", "wget", "-qO-", "http://data/"])
            .ok(),
        "hello"
    );
    // Another address: the name follows, in the file too.
    let _stopped = host.tare(["stop", "-t", "0", "db"]).ok();
    let _started = host.tare(["start", "db"]).ok();
    let second = address("db");
    assert_ne!(first, second);
    assert!(hosts().contains(&format!("{second}\tdata ")), "{}", hosts());
    assert!(!hosts().contains(&first));
    assert_eq!(
        host.tare(["inspect", "-f", "{{json .HostConfig.Links}}", "app"])
            .ok(),
        "[\"/db:/app/data\"]"
    );
    let _stopped = host.tare(["stop", "-t", "0", "db", "app"]).ok();
    let error = host.tare(["start", "app"]).fails(1);
    assert!(
        error.contains("Cannot link to a non running container: /db AS /app/data"),
        "{error}"
    );
    let error = host
        .tare(["run", "--rm", "--link", "nobody", "busybox", "true"])
        .fails(125);
    assert!(
        error.contains("could not get container for nobody"),
        "{error}"
    );
    host.finish();
}

fn nothing_stays_when_no_container_needs_it(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    let links = lan::links();
    let rules = lan::rules();
    assert_eq!(
        host.tare(["run", "--rm", "-p", "8080:80", "busybox", "echo", "x"])
            .ok(),
        "x"
    );
    until("links and rules are gone", || {
        lan::links() == links && lan::rules() == rules
    });
    // One that ends by itself and stays.
    let _id = host
        .tare([
            "run", "-d", "--name", "brief", "-p", "8080:80", "busybox", "true",
        ])
        .ok();
    until("links and rules are gone", || {
        lan::links() == links && lan::rules() == rules
    });
    assert_eq!(host.tare(["ps", "-aq"]).ok().lines().count(), 1);
    // Rules that somebody flushed are back with the next container, and those of who runs too.
    serve(&host, &["--name", "web", "-p", "8081:80"]);
    lan::flush_rules();
    assert_eq!(
        host.tare(["run", "--rm", "busybox", "wget", "-qO-", "http://web/"])
            .ok(),
        "hello"
    );
    assert_eq!(get(at("127.0.0.1:8081"), "/").as_deref(), Some("hello"));
    host.finish();
}
