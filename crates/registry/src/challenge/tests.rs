use super::*;

fn pairs(challenge: &Challenge) -> Vec<(&str, &str)> {
    let parameters = challenge.parameters.iter();
    parameters.map(|(k, v)| (k.as_str(), v.as_str())).collect()
}

#[test]
fn headers_of_registries() {
    let text = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
    let found = parse(text);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].scheme, "bearer");
    assert_eq!(found[0].get("scope"), "repository:a/b:pull,push");
    let found = parse(r#"Basic realm="a \"b\"", Bearer realm=https , x = y"#);
    assert_eq!(pairs(&found[0]), [("realm", "a \"b\"")]);
    assert_eq!(pairs(&found[1]), [("realm", "https"), ("x", "y")]);
}

#[test]
fn containerd_vectors() {
    let data = include_str!("../../test_data/www-authenticate.json");
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let cases = data["tables"]["TestParseAuthHeaderBearer"][0]
        .as_array()
        .unwrap();
    assert!(cases.len() >= 2);
    for case in cases {
        let field = |name: &str| case[name].as_str().unwrap();
        let header = format!(
            "Bearer realm=\"{}\",service=\"{}\",scope=\"{}\"",
            field("realm"),
            field("service"),
            field("scope")
        );
        let found = parse(&header);
        for name in ["realm", "service", "scope"] {
            assert_eq!(found[0].get(name), field(name));
        }
    }
}

#[test]
fn malformed_headers() {
    for text in [
        "",
        ",",
        "=,=",
        "Bearer realm=\"x",
        "Bearer realm=\"x\\",
        "\"",
        "Bearer =x",
        "=x",
    ] {
        drop(parse(text));
    }
    let found = parse("Bearer realm=\"unterminated, Basic, , =,\"\",");
    assert_eq!(found.len(), 1);
    parse(&"a".repeat(1 << 20));
    parse(&"a,".repeat(1 << 16));
}

#[test]
fn who_may_know_credentials() {
    let may = |realm: &str, registry: &str| {
        may_know(
            &realm.parse().unwrap(),
            &registry.parse().unwrap(),
            &["sso.trusted.test".into()],
        )
    };
    assert!(may(
        "https://auth.docker.io/token",
        "https://registry-1.docker.io/"
    ));
    assert!(may("https://r.test:5001/token", "https://r.test:5000/"));
    assert!(may("http://127.0.0.1:1/token", "http://127.0.0.1:2/"));
    assert!(may("https://sso.trusted.test/t", "https://r.example/"));
    assert!(may("http://r.test:5000/token", "http://r.test:5000/"));
    assert!(!may(
        "http://auth.docker.io/token",
        "https://registry-1.docker.io/"
    ));
    assert!(!may("https://evil.test/token", "https://r.example/"));
    assert!(!may("https://b.co.uk/token", "https://a.co.uk/"));
    assert!(!may("http://evil.test/t", "http://r.test:5000/"));
    assert!(!may("https://127.0.0.1/t", "https://r.example/"));
}
