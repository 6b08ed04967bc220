use super::{Around, Names, check, hosts, resolv_conf};
use crate::container::HostConfig;

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|t| (*t).to_owned()).collect()
}

#[test]
fn hosts_knows_localhost_and_what_was_added() {
    let host = HostConfig {
        extra_hosts: texts(&["db:10.0.0.1", "six=[::2]", "old:fe80::1"]),
        ..HostConfig::default()
    };
    let names = |host: &str, domain: &str| Names {
        host: host.to_owned(),
        domain: domain.to_owned(),
    };
    let text = hosts(&host, &names("web", ""), None, &Around::default()).unwrap();
    assert!(text.contains("\n127.0.1.1\tweb\n"));
    let full = hosts(&host, &names("web", "lan"), None, &Around::default()).unwrap();
    assert!(full.contains("\n127.0.1.1\tweb.lan web\n"));
    assert!(text.starts_with("127.0.0.1\tlocalhost\n"));
    assert!(text.ends_with("10.0.0.1\tdb\n::2\tsix\nfe80::1\told\n"));
    assert_eq!(
        hosts(
            &HostConfig::default(),
            &names("x", ""),
            Some("1.2.3.4 here"),
            &Around::default(),
        )
        .unwrap(),
        "1.2.3.4 here\n127.0.0.1\thost.docker.internal gateway.docker.internal\n"
    );
}

#[test]
fn what_is_no_host_is_refused() {
    for line in ["db", "db:x", ":1.2.3.4", "a b:1.2.3.4"] {
        let host = HostConfig {
            extra_hosts: texts(&[line]),
            ..HostConfig::default()
        };
        assert!(check(&host).is_err(), "{line}");
    }
}

#[test]
fn no_value_breaks_out_of_its_line() {
    let none = HostConfig::default;
    for bad in [
        "a b",
        "a\nb",
        "a\rb",
        "a\0b",
        "a\tb",
        "a\u{1b}[1m",
        "a#b",
        "",
    ] {
        for (field, host) in [
            (
                "add-host",
                HostConfig {
                    extra_hosts: vec![format!("{bad}:1.2.3.4")],
                    ..none()
                },
            ),
            (
                "add-host",
                HostConfig {
                    extra_hosts: vec![format!("db:1.2.3.4{bad}x")],
                    ..none()
                },
            ),
            (
                "dns",
                HostConfig {
                    dns: vec![format!("1.1.1.1{bad}x")],
                    ..none()
                },
            ),
            (
                "dns-search",
                HostConfig {
                    dns_search: texts(&["lan", bad]),
                    ..none()
                },
            ),
            (
                "dns-option",
                HostConfig {
                    dns_options: texts(&["ndots:2", bad]),
                    ..none()
                },
            ),
        ] {
            let error = check(&host).unwrap_err().message;
            assert!(error.contains(field), "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }
}

#[test]
fn name_servers_of_the_hosts_loopback_are_left_out() {
    let of_host =
        "# made by hand\nnameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch lan\noptions edns0\n";
    let mut host = HostConfig {
        network_mode: "none".to_owned(),
        ..HostConfig::default()
    };
    assert_eq!(
        resolv_conf(&host, of_host),
        "# made by hand\nnameserver 9.9.9.9\nsearch lan\noptions edns0\n"
    );
    host.network_mode = "host".to_owned();
    assert_eq!(resolv_conf(&host, of_host), of_host);
    host.dns = texts(&["1.1.1.1"]);
    host.dns_search = texts(&["example.org", "lan"]);
    assert_eq!(
        resolv_conf(&host, of_host),
        "# made by hand\noptions edns0\nnameserver 1.1.1.1\nsearch example.org lan\n"
    );
    host.dns_search = texts(&["."]);
    host.dns_options = texts(&["ndots:2"]);
    assert_eq!(
        resolv_conf(&host, of_host),
        "# made by hand\nnameserver 1.1.1.1\noptions ndots:2\n"
    );
}
