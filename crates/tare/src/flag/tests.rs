use super::*;

#[test]
fn sizes() {
    for (text, value) in [
        ("0", 0),
        ("1024", 1024),
        ("512m", 512 << 20),
        ("1.5g", 3 << 29),
        ("64 MiB", 64 << 20),
        ("2KB", 2048),
        ("7b", 7),
    ] {
        assert_eq!(bytes(text), Ok(value), "{text}");
    }
    for text in ["", "m", "1x", "-1", "1..2m", "9999999p", "1 2m"] {
        assert!(bytes(text).is_err(), "{text}");
    }
    assert_eq!(bytes_or_unlimited("-1"), Ok(-1));
}

#[test]
fn cpus_are_exact() {
    assert_eq!(cpus("1.5"), Ok(1_500_000_000));
    assert_eq!(cpus(".1"), Ok(100_000_000));
    assert_eq!(cpus("2"), Ok(2_000_000_000));
    assert_eq!(cpus("0.000000001"), Ok(1));
    assert!(cpus("0.0000000001").is_err());
    assert!(cpus("x").is_err() && cpus("").is_err() && cpus("-1").is_err());
}

#[test]
fn durations_and_moments() {
    assert_eq!(duration("1m30s"), Ok(90_000_000_000));
    assert_eq!(duration("1.5h"), Ok(5_400_000_000_000));
    assert_eq!(duration("300ms"), Ok(300_000_000));
    assert!(duration("10").is_err() && duration("1d").is_err() && duration("").is_err());
    let now = "2026-01-02T00:10:00Z".parse().unwrap();
    assert_eq!(when("10m", now).unwrap(), "1767312000.000000000");
    assert_eq!(when("1700000000.5", now).unwrap(), "1700000000.5");
    assert_eq!(
        when("2026-01-02T00:00:00Z", now).unwrap(),
        "1767312000.000000000"
    );
    assert_eq!(when("2026-01-02", now).unwrap(), "1767312000.000000000");
    assert_eq!(
        when("2026-01-02T00:00:00", now).unwrap(),
        "1767312000.000000000"
    );
    assert!(when("yesterday", now).is_err());
}

#[test]
fn restart_policies() {
    assert_eq!(
        restart("on-failure:3"),
        Ok(Restart {
            name: "on-failure".into(),
            retries: 3
        })
    );
    assert_eq!(
        restart("always"),
        Ok(Restart {
            name: "always".into(),
            retries: 0
        })
    );
    assert!(
        restart("always:3").is_err()
            && restart("sometimes").is_err()
            && restart("on-failure:x").is_err()
    );
}

#[test]
fn ulimits() {
    assert_eq!(
        ulimit("nofile=10:20"),
        Ok(Ulimit {
            name: "nofile".into(),
            soft: 10,
            hard: 20
        })
    );
    assert_eq!(
        ulimit("core=-1"),
        Ok(Ulimit {
            name: "core".into(),
            soft: -1,
            hard: -1
        })
    );
    assert!(
        ulimit("nofile=20:10").is_err() && ulimit("files=1").is_err() && ulimit("nofile").is_err()
    );
}

#[test]
fn lists() {
    assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
    assert_eq!(label("a"), Ok(("a".into(), String::new())));
    assert!(label("=x").is_err() && label("a b=c").is_err());
    assert_eq!(host_entry("db=::1"), Ok("db:::1".into()));
    assert_eq!(host_entry("db:10.0.0.1"), Ok("db:10.0.0.1".into()));
    assert_eq!(host_entry("h:host-gateway"), Ok("h:host-gateway".into()));
    assert!(host_entry("db").is_err() && host_entry("db:zz").is_err());
}

#[test]
fn env_files_are_raw() {
    let text = "\u{feff}# note\nA=1\n\n  B=\"x\"  \nHOME\nUNSET\n";
    let read = env_file("f", text, |name| (name == "HOME").then(|| "/root".into()));
    assert_eq!(read.unwrap(), ["A=1", "B=\"x\"  ", "HOME=/root"]);
    assert_eq!(
        env_file("f", "A=1\nB C=2", |_| None).unwrap_err(),
        "f:2: variable 'B C' contains white space"
    );
    assert!(env_file("f", "=2", |_| None).is_err());
    assert!(label_file("f", "a=1\n=2").unwrap_err().starts_with("f:2: "));
}

#[test]
fn volumes() {
    let named = |source: &str, target: &str, options: &str| Bind::Named {
        source: source.into(),
        target: target.into(),
        options: options.into(),
    };
    assert_eq!(bind("/a:/b:ro"), Ok(named("/a", "/b", "ro")));
    assert_eq!(bind("data:/b"), Ok(named("data", "/b", "")));
    assert_eq!(bind("/b"), Ok(Bind::Anonymous("/b".into())));
    for text in ["", "a:b", "a:/", ":/b", "a:/b:ro:x", "/"] {
        assert!(bind(text).is_err(), "{text}");
    }
    assert_eq!(tmpfs("/t:size=1m"), Ok(("/t".into(), "size=1m".into())));
}

#[test]
fn mounts() {
    let spec = mount("type=bind,src=/a,\"dst=/b,c\",readonly").unwrap();
    assert_eq!((spec.kind, spec.read_only), (MountKind::Bind, true));
    assert_eq!((spec.source.as_str(), spec.target.as_str()), ("/a", "/b,c"));
    let spec = mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777").unwrap();
    assert_eq!((spec.size, spec.mode), (Some(1 << 20), Some(0o1777)));
    let spec = mount("source=v,target=/t,ro=false,volume-label=a=b").unwrap();
    assert_eq!((spec.kind, spec.read_only), (MountKind::Volume, false));
    assert_eq!(spec.labels, [("a".to_owned(), "b".to_owned())]);
    for text in [
        "",
        "type=bind,target=/a",
        "type=x,target=/a",
        "target=a",
        "bogus=1,target=/a",
        "source=v",
    ] {
        assert!(mount(text).is_err(), "{text}");
    }
}

#[test]
fn ports() {
    let one = |text: &str| {
        let ports = publish(text).unwrap();
        assert_eq!(ports.len(), 1, "{text}");
        (
            ports[0].host_ip.clone(),
            ports[0].host_port.clone(),
            ports[0].port.clone(),
        )
    };
    let owned = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(one("80"), owned("", "", "80/tcp"));
    assert_eq!(one("8080:80/udp"), owned("", "8080", "80/udp"));
    assert_eq!(
        one("127.0.0.1:8080:80"),
        owned("127.0.0.1", "8080", "80/tcp")
    );
    assert_eq!(one("127.0.0.1::80"), owned("127.0.0.1", "", "80/tcp"));
    assert_eq!(one("[::1]:8080:80"), owned("::1", "8080", "80/tcp"));
    assert_eq!(one("8000-8005:80"), owned("", "8000-8005", "80/tcp"));
    let ports = publish("8000-8001:80-81").unwrap();
    assert_eq!(
        (ports[1].host_port.as_str(), ports[1].port.as_str()),
        ("8001", "81/tcp")
    );
    for text in [
        "3306:",
        "x:80",
        "80:99999",
        "1-3:1-2",
        "80/foo",
        "300.0.0.1:80:80",
    ] {
        assert!(publish(text).is_err(), "{text}");
    }
    assert_eq!(exposed("80-81/udp").unwrap(), ["80/udp", "81/udp"]);
}

#[test]
fn detach_sequence() {
    let mut keys = detach_keys("").unwrap();
    let mut sent = Vec::new();
    assert!(!keys.watch(b"ab\x10", &mut sent));
    assert_eq!(sent, b"ab");
    assert!(!keys.watch(b"c", &mut sent));
    assert_eq!(sent, b"ab\x10c");
    assert!(!keys.watch(b"\x10\x10", &mut sent));
    assert!(keys.watch(b"\x11never sent", &mut sent));
    assert_eq!(sent, b"ab\x10c\x10");
    assert!(detach_keys("ctrl-[,a").unwrap().watch(b"\x1ba", &mut sent));
    assert!(detach_keys("ctrl-A1").is_err() && detach_keys("ctrl-").is_err());
}
