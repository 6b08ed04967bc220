use super::*;

fn authorities(hosts: &[Host]) -> Vec<&str> {
    hosts.iter().map(|h| h.authority.as_str()).collect()
}

#[test]
fn public_registry_and_mirrors() {
    let rules = Rules {
        mirrors: vec!["https://mirror.test/a/".into()],
        ..Rules::default()
    };
    let hosts = rules.hosts("docker.io").unwrap();
    assert_eq!(authorities(&hosts), ["mirror.test", "registry-1.docker.io"]);
    assert_eq!(hosts[0].prefix, "/a/v2");
    assert!(!hosts[0].origin && !hosts[0].capabilities.push && hosts[1].origin);
    assert_eq!(rules.hosts("quay.io").unwrap().len(), 1);
}

#[test]
fn plain_http_only_here_or_by_choice() {
    let rules = Rules {
        insecure: vec!["10.0.0.0/8".into(), "old.test:5000".into()],
        ..Rules::default()
    };
    let scheme = |domain: &str| rules.hosts(domain).unwrap()[0].scheme;
    for domain in [
        "localhost:5000",
        "127.0.0.1",
        "127.9.9.9:1",
        "[::1]:5000",
        "10.1.2.3:5000",
        "old.test:5000",
    ] {
        assert_eq!(scheme(domain), Scheme::Either, "{domain}");
    }
    for domain in [
        "example.org:5000",
        "11.0.0.1:5000",
        "old.test",
        "localhost.evil.test",
    ] {
        assert_eq!(scheme(domain), Scheme::Https, "{domain}");
    }
    assert!(!rules.hosts("127.0.0.1").unwrap()[0].trust.anybody);
}

#[test]
fn hosts_toml() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("r.test_5000_");
    std::fs::create_dir(&folder).unwrap();
    let text = r#"
server = "https://r.test:5000"
ca = "/etc/ca.pem"
[host."http://127.0.0.1:1"]
  capabilities = ["pull", "resolve"]
[host."https://b.test/v2/proxy"]
  override_path = true
  skip_verify = true
  client = [["c.cert", "c.key"]]
  [host."https://b.test/v2/proxy".header]
    x-key = ["a", "b"]
"#;
    std::fs::File::create(folder.join("hosts.toml"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .unwrap();
    let rules = Rules {
        directories: vec![directory.path().to_owned()],
        ..Rules::default()
    };
    let hosts = rules.hosts("r.test:5000").unwrap();
    assert_eq!(
        authorities(&hosts),
        ["127.0.0.1:1", "b.test", "r.test:5000"]
    );
    assert_eq!(hosts[0].scheme, Scheme::Http);
    assert!(!hosts[0].capabilities.push && !hosts[0].origin);
    assert_eq!(hosts[1].prefix, "/v2/proxy");
    assert_eq!(hosts[1].headers.get_all("x-key").iter().count(), 2);
    assert_eq!(hosts[1].trust.clients[0].1, Some(folder.join("c.key")));
    assert!(hosts[2].origin && hosts[2].trust.authorities == [PathBuf::from("/etc/ca.pem")]);
    assert!(toml_file::parse("server = 3", &folder, hosts[2].clone()).is_err());
    assert!(toml_file::parse("= =", &folder, hosts[2].clone()).is_err());
}

#[test]
fn networks() {
    assert!(in_network("10.2.3.4".parse().unwrap(), "10.0.0.0/8"));
    assert!(in_network("1.2.3.4".parse().unwrap(), "0.0.0.0/0"));
    assert!(in_network("fd00::1".parse().unwrap(), "fd00::/8"));
    assert!(!in_network("10.2.3.4".parse().unwrap(), "10.2.3.5/32"));
    assert!(!in_network("10.2.3.4".parse().unwrap(), "nonsense/99"));
}
