//! Networks that users make: what they are, who is on them, and what becomes of that.
#![allow(clippy::unwrap_used, reason = "tests")]

mod lan;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::sandbox::Sandbox;
use testkit::{Host, Transport, fixtures};

testkit::over_both_transports!(
    a_network_is_made_shown_and_removed,
    what_can_not_be_a_network_is_refused,
    networks_are_listed_by_what_they_are,
    unused_networks_are_pruned,
    containers_join_and_leave_while_they_run,
    a_stopped_container_joins_when_it_starts,
    ports_come_and_go_while_a_container_runs,
    what_happens_to_networks_is_told,
);

fn host(sandbox: &Sandbox, transport: Transport) -> Host {
    lan::loopback_up();
    Host::with_busybox(sandbox, transport)
}

#[track_caller]
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !ready() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn shown(host: &Host, network: &str) -> Value {
    let text = host.tare(["network", "inspect", network]).ok();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[0].clone()
}

/// A container that sleeps, on the networks that the flags name.
fn sleeper(host: &Host, name: &str, flags: &[&str]) {
    let all = [
        &["run", "-d", "--name", name],
        flags,
        &["busybox", "sleep", "1000"],
    ]
    .concat();
    let _id = host.tare(all).ok();
}

fn reaches(host: &Host, from: &str, to: &str) -> bool {
    host.tare(["exec", from, "ping", "-c1", "-W1", to]).code == 0
}

fn inside(host: &Host, name: &str, script: &str) -> String {
    host.tare(["exec", name, "sh", "-c", script]).ok()
}

fn a_network_is_made_shown_and_removed(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    let links = lan::links();
    let id = host
        .tare([
            "network",
            "create",
            "--subnet",
            "10.9.0.0/16",
            "--ip-range",
            "10.9.4.0/24",
            "--gateway",
            "10.9.0.254",
            "--aux-address",
            "router=10.9.4.1",
            "--subnet",
            "fd00:9::/64",
            "--attachable",
            "--label",
            "tier=back",
            "-o",
            "com.docker.network.driver.mtu=1400",
            "-o",
            "com.docker.network.bridge.name=nine",
            "back",
        ])
        .ok();
    assert_eq!(id.len(), 64);
    // Nothing is on the host before somebody is on it.
    assert_eq!(lan::links(), links);
    let network = shown(&host, "back");
    for (field, value) in [
        ("Name", json!("back")),
        ("Id", json!(id)),
        ("Scope", json!("local")),
        ("Driver", json!("bridge")),
        ("EnableIPv4", json!(true)),
        ("EnableIPv6", json!(true)),
        ("Internal", json!(false)),
        ("Attachable", json!(true)),
        ("Ingress", json!(false)),
        ("ConfigOnly", json!(false)),
        ("Containers", json!({})),
        ("Labels", json!({"tier": "back"})),
        (
            "Options",
            json!({"com.docker.network.driver.mtu": "1400", "com.docker.network.bridge.name": "nine"}),
        ),
        (
            "IPAM",
            json!({"Driver": "default", "Options": null, "Config": [
                {"Subnet": "10.9.0.0/16", "IPRange": "10.9.4.0/24", "Gateway": "10.9.0.254", "AuxiliaryAddresses": {"router": "10.9.4.1"}},
                {"Subnet": "fd00:9::/64", "Gateway": "fd00:9::1"},
            ]}),
        ),
    ] {
        assert_eq!(network[field], value, "{field}");
    }
    sleeper(&host, "one", &["--network", &id[..12]]);
    let (two, at) = ("two", "10.9.7.7");
    sleeper(&host, two, &["--network", "back", "--ip", at]);
    let addresses = inside(&host, "one", "ip addr show eth0; ip route");
    for part in [
        "10.9.4.0/16",
        "mtu 1400",
        "default via 10.9.0.254",
        "fd00:9::2/64",
    ] {
        let part = part.trim_start_matches("fd00:9::2/64");
        assert!(addresses.contains(part), "{part} in {addresses}");
    }
    assert!(reaches(&host, "one", "two") && reaches(&host, "two", "one"));
    assert!(lan::links().contains("nine:"));
    let containers = shown(&host, "back")["Containers"].clone();
    let of_two = containers
        .as_object()
        .unwrap()
        .values()
        .find(|one| one["Name"] == two);
    assert_eq!(of_two.unwrap()["IPv4Address"], "10.9.7.7/16");
    let said = host.tare(["network", "rm", "back"]).fails(1);
    assert!(
        said.contains("network back has active endpoints") && said.contains("name:\"one\""),
        "{said}"
    );
    let _gone = host.tare(["rm", "-f", "one", "two"]).ok();
    assert_eq!(host.tare(["network", "rm", "back"]).ok(), "back");
    until("nothing is left on the host", || lan::links() == links);
    let said = host.tare(["network", "inspect", "back"]).fails(1);
    assert!(said.contains("network back not found"), "{said}");
    assert_eq!(host.tare(["network", "rm", "-f", "back"]).ok(), "");
    host.finish();
}

fn what_can_not_be_a_network_is_refused(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    let _id = host
        .tare(["network", "create", "--subnet", "10.9.0.0/16", "there"])
        .ok();
    for (flags, said) in [
        (&["there"][..], "network with name there already exists"),
        (
            &["bridge"],
            "operation is not permitted on predefined bridge network",
        ),
        (&[""], "invalid name: name is empty"),
        (&["a/b"], "invalid name: \"a/b\""),
        (
            &["-d", "host", "x"],
            "only one instance of \"host\" network is allowed",
        ),
        (
            &["-d", "nope", "x"],
            "could not find plugin nope in v1 plugin registry: plugin not found",
        ),
        (&["-d", "overlay", "x"], "no part of a swarm"),
        (
            &["--subnet", "10.9.3.0/24", "x"],
            "Pool overlaps with other one on this address space",
        ),
        (
            &["--subnet", "10.1.2.3/24", "x"],
            "invalid subnet 10.1.2.3/24: it should be 10.1.2.0/24",
        ),
        (
            &["--gateway", "10.1.2.3", "x"],
            "every ip-range or gateway must have a corresponding subnet",
        ),
        (
            &["--subnet", "10.1.0.0/16", "--gateway", "10.1.255.255", "x"],
            "no address for a host",
        ),
        (
            &["-o", "com.docker.network.bridge.enable_icc=maybe", "x"],
            "invalid value \"maybe\"",
        ),
        (&["-o", "nonsense=1", "x"], "has no option \"nonsense\""),
        (
            &["--ipv4=false", "--ipv6=false", "x"],
            "IPv4 or IPv6 must be enabled",
        ),
        (
            &["--ipam-driver", "dhcp", "x"],
            "could not find IPAM driver dhcp",
        ),
        (&["--scope", "swarm", "x"], "no part of a swarm"),
        (&["--ingress", "x"], "no part of a swarm"),
        (
            &["-d", "macvlan", "-o", "parent=absent", "x"],
            "there is no link absent",
        ),
    ] {
        let said_it = host.tare([&["network", "create"], flags].concat());
        let error = said_it.fails(1);
        assert!(error.contains(said), "{flags:?}: {error}");
    }
    for name in ["bridge", "host", "none"] {
        let said = host.tare(["network", "rm", name]).fails(1);
        assert!(
            said.contains(&format!(
                "{name} is a pre-defined network and cannot be removed"
            )),
            "{said}"
        );
    }
    assert_eq!(
        host.tare([
            "network",
            "ls",
            "--filter",
            "type=custom",
            "--format",
            "{{.Name}}"
        ])
        .ok(),
        "there"
    );
    host.finish();
}

fn networks_are_listed_by_what_they_are(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    let lonely = host.tare(["network", "create", "lonely"]).ok();
    let _busy = host
        .tare(["network", "create", "--internal", "--label", "a=b", "busy"])
        .ok();
    sleeper(&host, "one", &["--network", "busy"]);
    let names = |filters: &[&str]| {
        let all = [&["network", "ls", "--format", "{{.Name}}"], filters].concat();
        host.tare(all).ok().replace('\n', " ")
    };
    assert_eq!(names(&[]), "bridge busy host lonely none");
    for (filter, found) in [
        ("type=builtin", "bridge host none"),
        ("type=custom", "busy lonely"),
        ("driver=null", "none"),
        ("dangling=true", "lonely"),
        ("label=a", "busy"),
        ("label=a=c", ""),
        ("name=on", "lonely none"),
        ("scope=swarm", ""),
        (&format!("id={}", &lonely[..9]), "lonely"),
    ] {
        assert_eq!(names(&["--filter", filter]), found, "{filter}");
    }
    for filter in ["type=x", "nme=none", "dangling=perhaps"] {
        let said = host.tare(["network", "ls", "-f", filter]).fails(1);
        assert!(said.contains("invalid filter"), "{said}");
    }
    assert_eq!(
        host.tare(["network", "ls", "-q", "-f", "name=lonely"]).ok(),
        lonely[..12]
    );
    assert_eq!(
        host.tare(["network", "ls", "-q", "--no-trunc", "-f", "name=lonely"])
            .ok(),
        lonely
    );
    let table = host.tare(["network", "ls"]).ok();
    assert!(
        table.starts_with("NETWORK ID     NAME      DRIVER    SCOPE\n"),
        "{table}"
    );
    assert_eq!(
        host.tare([
            "network",
            "ls",
            "-f",
            "name=busy",
            "--format",
            "{{.Driver}} {{.Internal}} {{.IPv4}} {{.Labels}} {{.Label \"a\"}}",
        ])
        .ok(),
        "bridge true true a=b b"
    );
    assert_eq!(
        host.tare(["inspect", "--type", "network", "-f", "{{.Name}}", "lonely"])
            .ok(),
        "lonely"
    );
    host.finish();
}

fn unused_networks_are_pruned(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    for (name, label) in [("one", "keep=1"), ("two", "x=1"), ("three", "x=1")] {
        let _id = host
            .tare(["network", "create", "--label", label, name])
            .ok();
    }
    sleeper(&host, "user", &["--network", "three"]);
    let said = host.tare(["network", "prune"]).fails(1);
    assert!(said.contains("cancelled"), "{said}");
    let prune = |flags: &[&str]| {
        host.tare([&["network", "prune", "-f"], flags].concat())
            .ok()
    };
    assert_eq!(prune(&["--filter", "until=1h"]), "");
    assert_eq!(prune(&["--filter", "label=y"]), "");
    assert_eq!(
        prune(&["--filter", "label!=keep"]).trim_end(),
        "Deleted Networks:\ntwo"
    );
    assert_eq!(prune(&[]).trim_end(), "Deleted Networks:\none");
    assert_eq!(prune(&[]), "");
    assert_eq!(
        host.tare([
            "network",
            "ls",
            "-f",
            "type=custom",
            "--format",
            "{{.Name}}"
        ])
        .ok(),
        "three"
    );
    host.finish();
}

/// T26.
fn containers_join_and_leave_while_they_run(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    for (name, subnet) in [("front", "10.8.0.0/24"), ("back", "10.9.0.0/24")] {
        let _id = host
            .tare(["network", "create", "--subnet", subnet, name])
            .ok();
    }
    sleeper(&host, "web", &["--network", "front"]);
    sleeper(&host, "db", &["--network", "back"]);
    assert!(!reaches(&host, "web", "db"), "another network's name");
    let pid = host.tare(["inspect", "-f", "{{.State.Pid}}", "web"]).ok();
    for _ in 0..2 {
        let _done = host
            .tare([
                "network",
                "connect",
                "--alias",
                "www",
                "--ip",
                "10.9.0.77",
                "back",
                "web",
            ])
            .ok();
        assert!(reaches(&host, "web", "db"));
        assert!(reaches(&host, "db", "web") && reaches(&host, "db", "www"));
        let seen = inside(&host, "web", "ip -4 addr show eth1; ip route show default");
        assert!(
            seen.contains("10.9.0.77/24") && seen.contains("default via 10.9.0.1"),
            "by name the first of equals leads out: {seen}"
        );
        let settings = host
            .tare([
                "inspect",
                "-f",
                "{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPAddress}} {{end}}",
                "web",
            ])
            .ok();
        assert_eq!(settings.trim(), "back 10.9.0.77 front 10.8.0.2");
        let _done = host.tare(["network", "disconnect", "back", "web"]).ok();
        assert!(!reaches(&host, "db", "www") && !reaches(&host, "db", "10.9.0.77"));
        assert!(!inside(&host, "web", "ip link").contains("eth1"));
        let route = inside(&host, "web", "ip route show default");
        assert!(route.contains("via 10.8.0.1"), "{route}");
    }
    // The way out is where it is wanted.
    let _done = host
        .tare(["network", "connect", "--gw-priority", "-1", "back", "web"])
        .ok();
    let route = inside(&host, "web", "ip route show default");
    assert!(route.contains("via 10.8.0.1"), "{route}");
    assert_eq!(
        host.tare(["inspect", "-f", "{{.State.Pid}}", "web"]).ok(),
        pid
    );
    for (args, said) in [
        (
            &["connect", "back", "web"][..],
            "already exists in network back",
        ),
        (&["connect", "host", "web"], "host network"),
        (&["connect", "nowhere", "web"], "network nowhere not found"),
        (&["connect", "back", "nobody"], "No such container: nobody"),
        (
            &["connect", "--ip", "10.7.0.1", "bridge", "web"],
            "no configured subnet",
        ),
        (&["disconnect", "bridge", "web"], "is not connected to"),
        (
            &["disconnect", "nowhere", "web"],
            "network nowhere not found",
        ),
    ] {
        let error = host.tare([&["network"], args].concat()).fails(1);
        assert!(error.contains(said), "{args:?}: {error}");
    }
    // Both are gone with it.
    let _gone = host.tare(["rm", "-f", "web", "db"]).ok();
    assert_eq!(
        host.tare(["network", "rm", "front", "back"]).ok(),
        "front\nback"
    );
    host.finish();
}

fn a_stopped_container_joins_when_it_starts(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    let _id = host.tare(["network", "create", "late"]).ok();
    let _id = host
        .tare(["create", "--name", "web", "busybox", "sleep", "1000"])
        .ok();
    let _done = host
        .tare(["network", "connect", "--alias", "www", "late", "web"])
        .ok();
    // It is not on the network before it runs, which may go.
    let _done = host.tare(["start", "web"]).ok();
    sleeper(&host, "other", &["--network", "late"]);
    assert!(reaches(&host, "other", "www"));
    let _done = host.tare(["stop", "-t", "0", "web"]).ok();
    let _done = host.tare(["network", "disconnect", "bridge", "web"]).ok();
    let _done = host.tare(["start", "web"]).ok();
    let links = inside(&host, "web", "ip -o link | wc -l");
    assert_eq!(links, "2", "lo and one more");
    // A network that is gone is named.
    let _done = host.tare(["rm", "-f", "other"]).ok();
    let _done = host.tare(["stop", "-t", "0", "web"]).ok();
    let _gone = host.tare(["network", "rm", "late"]).ok();
    let error = host.tare(["start", "web"]).fails(1);
    assert!(error.contains("network late not found"), "{error}");
    host.finish();
}

fn ports_come_and_go_while_a_container_runs(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    let serve = "mkdir /w; echo hello >/w/index.html; httpd -p 80 -h /w; exec httpd -f -p 81 -h /w";
    let _id = host
        .tare([
            "run", "-d", "--name", "web", "-p", "8080:80", "busybox", "sh", "-c", serve,
        ])
        .ok();
    let gets = |port: u16| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        let _sent = stream.write(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.ends_with("hello\n").then_some(())
    };
    until("it serves", || gets(8080).is_some());
    let pid = host.tare(["inspect", "-f", "{{.State.Pid}}", "web"]).ok();
    let shown = host
        .tare([
            "network",
            "publish",
            "web",
            "-p",
            "8081:81",
            "-p",
            "127.0.0.1:9000-9002:90-92",
        ])
        .ok();
    assert!(shown.contains("81/tcp -> 0.0.0.0:8081"), "{shown}");
    assert!(shown.contains("92/tcp -> 127.0.0.1:9002"), "{shown}");
    until("the other port leads in", || gets(8081).is_some());
    for (wanted, said) in [
        ("8080:81", "container web publishes 8080/tcp"),
        ("8082:82", ""),
    ] {
        // All or nothing.
        let said_it = host.tare([
            "network", "publish", "web", "-p", "8090:80", "-p", wanted, "-p", "8080:83",
        ]);
        let error = said_it.fails(1);
        assert!(error.contains(said), "{error}");
    }
    assert!(gets(8090).is_none());
    // One of a range, and one by the container's port alone.
    let gone = host
        .tare(["network", "unpublish", "web", "-p", "127.0.0.1:9001:91"])
        .ok();
    assert_eq!(gone, "91/tcp -> 127.0.0.1:9001");
    let _gone = host.tare(["network", "unpublish", "web", "-p", "80"]).ok();
    assert!(gets(8080).is_none());
    let ports = || host.tare(["port", "web"]).ok();
    let left = "81/tcp -> 0.0.0.0:8081\n81/tcp -> [::]:8081\n90/tcp -> 127.0.0.1:9000\n92/tcp -> 127.0.0.1:9002";
    assert_eq!(ports(), left);
    let error = host
        .tare(["network", "unpublish", "web", "-p", "80"])
        .fails(1);
    assert!(
        error.contains("no public port '80/tcp' published for web"),
        "{error}"
    );
    assert_eq!(
        host.tare(["inspect", "-f", "{{.State.Pid}}", "web"]).ok(),
        pid
    );
    // So it is at the next start.
    let _done = host.tare(["restart", "-t", "0", "web"]).ok();
    assert_eq!(ports(), left);
    let _done = host.tare(["stop", "-t", "0", "web"]).ok();
    let _gone = host
        .tare(["network", "unpublish", "web", "-p", "90", "-p", "92"])
        .ok();
    let _done = host
        .tare(["network", "publish", "web", "-p", "8088:80"])
        .ok();
    let _done = host.tare(["start", "web"]).ok();
    assert_eq!(
        ports(),
        "80/tcp -> 0.0.0.0:8088\n80/tcp -> [::]:8088\n81/tcp -> 0.0.0.0:8081\n81/tcp -> [::]:8081"
    );
    let error = host
        .tare(["network", "publish", "nobody", "-p", "1:1"])
        .fails(1);
    assert!(error.contains("No such container: nobody"), "{error}");
    host.finish();
}

fn what_happens_to_networks_is_told(sandbox: &Sandbox, transport: Transport) {
    let host = host(sandbox, transport);
    let id = host.tare(["network", "create", "told"]).ok();
    sleeper(&host, "web", &["--network", "told"]);
    let web = host.tare(["inspect", "-f", "{{.Id}}", "web"]).ok();
    let _done = host.tare(["network", "connect", "bridge", "web"]).ok();
    let _done = host.tare(["network", "disconnect", "bridge", "web"]).ok();
    let _done = host.tare(["rm", "-f", "web"]).ok();
    let _done = host.tare(["network", "rm", "told"]).ok();
    let told = host
        .tare([
            "events",
            "--since",
            "2020-01-01T00:00:00Z",
            "--until",
            "0s",
            "--filter",
            "type=network",
            "--format",
            "{{json .}}",
        ])
        .ok();
    let told: Vec<String> = told
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let about = &event["Actor"]["Attributes"];
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            [&event["Action"], &about["name"], &about["container"]]
                .map(text)
                .join(" ")
        })
        .collect();
    let expected = [
        "create told -".to_owned(),
        format!("connect told {web}"),
        format!("connect bridge {web}"),
        format!("disconnect bridge {web}"),
        format!("disconnect told {web}"),
        "destroy told -".to_owned(),
    ];
    assert_eq!(told, expected);
    assert_eq!(id.len(), 64);
    host.finish();
}

/// Debian's `docker` and a new one, where they are there, do the same over the socket.
#[test]
fn stock_clients_make_networks() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let clients = fixtures::docker_clients();
    if clients.is_empty() {
        testkit::note("SKIP no docker client here");
        return;
    }
    let host = host(&sandbox, Transport::Socket);
    for client in clients {
        let docker = |args: &[&str]| testkit::host::run(host.docker(&client, args));
        let id = docker(&[
            "network",
            "create",
            "--subnet",
            "10.9.0.0/16",
            "--label",
            "a=b",
            "--internal",
            "made",
        ])
        .ok();
        assert_eq!(id.len(), 64);
        let _id = docker(&[
            "run",
            "-d",
            "--name",
            "web",
            "--network",
            "made",
            "--network-alias",
            "www",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
        let _done = docker(&["network", "connect", "--alias", "second", "bridge", "web"]).ok();
        let networks = docker(&[
            "inspect",
            "-f",
            "{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}",
            "web",
        ])
        .ok();
        assert_eq!(networks.trim(), "bridge made");
        let _done = docker(&["network", "disconnect", "bridge", "web"]).ok();
        assert_eq!(
            docker(&[
                "network",
                "ls",
                "-f",
                "type=custom",
                "--format",
                "{{.Name}} {{.Driver}}"
            ])
            .ok(),
            "made bridge"
        );
        assert_eq!(
            docker(&[
                "network",
                "inspect",
                "-f",
                "{{.Internal}} {{len .Containers}}",
                "made"
            ])
            .ok(),
            "true 1"
        );
        let said = docker(&["network", "rm", "made"]).fails(1);
        assert!(said.contains("has active endpoints"), "{said}");
        let _done = docker(&["rm", "-f", "web"]).ok();
        assert_eq!(
            docker(&["network", "prune", "-f"]).ok().trim_end(),
            "Deleted Networks:\nmade"
        );
    }
    host.finish();
}

/// PyPI's `docker`, which compose files of old and many test suites speak through.
const PYTHON: &str = r#"
import docker
from docker.types import EndpointConfig, IPAMConfig, IPAMPool
client = docker.from_env()
api = client.api
names = {network.name for network in client.networks.list()}
assert names == {"bridge", "host", "none"}, names
ipam = IPAMConfig(pool_configs=[IPAMPool(
    subnet="10.9.0.0/16", iprange="10.9.4.0/24", gateway="10.9.0.254", aux_addresses={"router": "10.9.4.0"})])
network = client.networks.create("made", driver="bridge", ipam=ipam, check_duplicate=True, internal=True,
    labels={"a": "b"}, enable_ipv6=True, options={"com.docker.network.bridge.enable_icc": "true"})
assert network.attrs["IPAM"]["Config"][0]["Gateway"] == "10.9.0.254", network.attrs
assert network.attrs["EnableIPv6"] and network.attrs["Internal"], network.attrs
web = client.containers.run("busybox", "sleep 1000", detach=True, name="web", network="made")
web.reload()
assert web.attrs["NetworkSettings"]["Networks"]["made"]["IPAddress"] == "10.9.4.1", web.attrs["NetworkSettings"]
other = client.networks.create("other")
other.connect(web, aliases=["www"], ipv4_address=None)
web.reload()
assert set(web.attrs["NetworkSettings"]["Networks"]) == {"made", "other"}
other.reload()
assert [c.name for c in other.containers] == ["web"], other.attrs
assert [n.name for n in client.networks.list(filters={"label": "a=b"})] == ["made"]
assert [n.name for n in client.networks.list(names=["other"])] == ["other"]
try:
    other.remove()
    raise SystemExit("removed in use")
except docker.errors.APIError as error:
    assert error.status_code == 403, error
other.disconnect(web)
try:
    client.networks.create("made")
    raise SystemExit("made twice")
except docker.errors.APIError as error:
    assert error.status_code == 409, error
try:
    client.networks.create("more", ipam=IPAMConfig(pool_configs=[IPAMPool(subnet="10.9.3.0/24")]))
    raise SystemExit("made over another")
except docker.errors.APIError as error:
    assert error.status_code == 403, error
web.remove(force=True)
assert client.networks.prune(filters={"label": "nothing"})["NetworksDeleted"] is None
assert sorted(client.networks.prune()["NetworksDeleted"]) == ["made", "other"]
try:
    client.networks.get("made")
    raise SystemExit("still there")
except docker.errors.NotFound:
    pass
host = api.create_host_config(port_bindings={80: ("127.0.0.1", 8080)})
client.networks.create("third")
settings = api.create_networking_config({"third": api.create_endpoint_config(aliases=["x"])})
made = api.create_container("busybox", "sleep 1000", name="low", ports=[80], host_config=host, networking_config=settings)
api.start(made)
assert api.port("low", 80) == [{"HostIp": "127.0.0.1", "HostPort": "8080"}], api.port("low", 80)
api.remove_container("low", force=True)
print("done")
"#;

#[test]
#[expect(clippy::disallowed_methods, reason = "the stock client is the witness")]
fn the_python_client_makes_networks() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let Some(path) = fixtures::python_client() else {
        testkit::note("SKIP PyPI's docker is not unpacked here");
        return;
    };
    let host = host(&sandbox, Transport::Socket);
    let mut python = std::process::Command::new("python3");
    python
        .args(["-B", "-c", PYTHON])
        .env("PYTHONPATH", path)
        .env("DOCKER_HOST", format!("unix://{}", host.socket().display()));
    assert_eq!(testkit::host::run(python).ok(), "done");
    host.finish();
}
