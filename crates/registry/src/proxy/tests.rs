use super::*;

#[test]
fn choice() {
    let proxies = Proxies {
        http: None,
        https: Some("http://ann:p%40w@proxy.test:3128/".into()),
        no: "intern.test, .corp.test,10.0.0.0/8,exact.test:5000".into(),
    };
    let by = |authority: &str| proxies.find(true, authority).unwrap().is_some();
    let proxy = proxies.find(true, "quay.io").unwrap().unwrap();
    assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.test", 3128));
    assert_eq!(proxy.authorization.as_deref(), Some("Basic YW5uOnBAdw=="));
    for direct in [
        "intern.test",
        "a.intern.test:5000",
        "x.corp.test",
        "10.1.1.1:5000",
        "localhost:5000",
        "[::1]",
        "exact.test:5000",
    ] {
        assert!(!by(direct), "{direct}");
    }
    for proxied in ["notintern.test", "11.1.1.1", "exact.test:5001"] {
        assert!(by(proxied), "{proxied}");
    }
    assert!(proxies.find(false, "quay.io").unwrap().is_none());
    assert!(parse("socks5://x:1").is_err());
    assert!(parse("http://:1").is_err());
    assert_eq!(
        parse("[fd00::1]:99").map(|p| (p.host, p.port)).unwrap(),
        ("fd00::1".into(), 99)
    );
    assert!(!format!("{proxies:?}").contains("p%40w"));
}
