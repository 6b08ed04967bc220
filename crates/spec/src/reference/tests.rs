use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn table(file: &str, name: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(file).unwrap();
    vectors["tables"][name].as_array().unwrap().clone()
}

const NORMALIZE: &str = include_str!("../../test_data/reference/reference-normalize.json");
const PARSE: &str = include_str!("../../test_data/reference/reference-parse.json");
const GRAMMAR: &str = include_str!("../../test_data/reference/reference-regexp.json");

fn texts(values: &Value) -> Vec<&str> {
    values
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect()
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value[name].as_str().filter(|text| !text.is_empty())
}

#[test]
fn valid_and_invalid_names() {
    for name in ["TestValidateReferenceName", "TestValidateRemoteName"] {
        let tables = table(NORMALIZE, name);
        for good in texts(&tables[0]) {
            Reference::parse(good).unwrap_or_else(|e| panic!("{good}: {e}"));
        }
        for bad in texts(&tables[1]) {
            assert!(Reference::parse(bad).is_err(), "{bad}");
        }
    }
}

#[test]
fn familiar_and_full_names() {
    for case in table(NORMALIZE, "TestParseRepositoryInfo")[0]
        .as_array()
        .unwrap()
    {
        for input in ["FamiliarName", "FullName", "AmbiguousName"]
            .iter()
            .filter_map(|n| field(case, n))
        {
            let reference = Reference::parse_name(input).unwrap();
            assert_eq!(
                reference.domain(),
                case["Domain"].as_str().unwrap(),
                "{input}"
            );
            assert_eq!(
                reference.path(),
                case["RemoteName"].as_str().unwrap(),
                "{input}"
            );
            assert_eq!(
                reference.name(),
                case["FullName"].as_str().unwrap(),
                "{input}"
            );
            assert_eq!(
                reference.familiar_name(),
                case["FamiliarName"].as_str().unwrap(),
                "{input}"
            );
        }
    }
}

#[test]
fn equivalents() {
    for case in table(NORMALIZE, "TestParseAnyReference")[0]
        .as_array()
        .unwrap()
    {
        // Bare digests and ids are no references here: the engine looks them up before.
        let (input, wanted) = (
            case["Reference"].as_str().unwrap(),
            case["Equivalent"].as_str().unwrap(),
        );
        if !wanted.starts_with("sha256:") {
            assert_eq!(Reference::parse_name(input).unwrap().to_string(), wanted);
        }
    }
    for case in table(NORMALIZE, "TestNormalizedSplitHostname")[0]
        .as_array()
        .unwrap()
    {
        let reference = Reference::parse(case["input"].as_str().unwrap()).unwrap();
        assert_eq!(Some(reference.domain()), field(case, "domain"));
        assert_eq!(Some(reference.path()), field(case, "path"));
    }
    for case in table(NORMALIZE, "TestParseDockerRef")[0]
        .as_array()
        .unwrap()
    {
        let reference = Reference::parse(case["input"].as_str().unwrap()).unwrap();
        let pinned = reference
            .digest()
            .map_or_else(|| reference.clone(), |d| reference.with_digest(*d));
        assert_eq!(pinned.to_string(), case["expected"].as_str().unwrap());
    }
}

#[test]
fn grammar() {
    for case in table(PARSE, "TestReferenceParse")[0].as_array().unwrap() {
        let input = case["input"].as_str().unwrap();
        let raw = Raw::parse(input);
        let digest = |raw: &Raw<'_>| raw.digest.map(str::parse::<Digest>).transpose();
        match field(case, "err") {
            // We do know this algorithm.
            Some("$digest.ErrDigestUnsupported") if input.contains("@sha512:") => {}
            Some(err) => assert!(
                raw.is_err() || digest(&raw.unwrap()).is_err(),
                "{input}: {err}"
            ),
            None => {
                let raw = raw.unwrap_or_else(|e| panic!("{input}: {e}"));
                digest(&raw).unwrap();
                let name = raw
                    .domain
                    .map_or_else(|| raw.path.to_owned(), |d| format!("{d}/{}", raw.path));
                assert_eq!(Some(name.as_str()), field(case, "repository"), "{input}");
                assert_eq!(raw.domain, field(case, "domain"), "{input}");
                assert_eq!(raw.tag, field(case, "tag"), "{input}");
                assert_eq!(raw.digest, field(case, "digest"), "{input}");
            }
        }
    }
    for case in table(GRAMMAR, "TestDomainRegexp")[0].as_array().unwrap() {
        let input = case["input"].as_str().unwrap();
        assert_eq!(
            is_domain(input),
            case["match"].as_bool().unwrap(),
            "{input}"
        );
    }
}

fn message(text: &str) -> String {
    Reference::parse(text).unwrap_err().to_string()
}

/// The texts that docker 28 prints.
#[test]
fn messages_are_dockers() {
    assert_eq!(
        message("Foo"),
        "invalid reference format: repository name (library/Foo) must be lowercase"
    );
    assert_eq!(message("foo:::"), "invalid reference format");
    assert_eq!(message("a b"), "invalid reference format");
    assert_eq!(message(""), "invalid reference format");
    let hex = "a".repeat(64);
    assert_eq!(
        message(&hex),
        format!("invalid repository name ({hex}), cannot specify 64-byte hexadecimal strings")
    );
}

#[test]
fn tag_and_digest() {
    let digest = Digest::of(b"");
    let both = Reference::parse(&format!("localhost:5000/app:v1@{digest}")).unwrap();
    assert_eq!((both.tag(), both.digest()), (Some("v1"), Some(&digest)));
    assert_eq!(both.familiar(), format!("localhost:5000/app:v1@{digest}"));
    assert_eq!(
        both.with_tag("v2").unwrap().familiar(),
        "localhost:5000/app:v2"
    );
    assert!(both.with_tag("-").is_err());
    assert_eq!(
        Reference::parse("busybox").unwrap().familiar(),
        "busybox:latest"
    );
    assert_eq!(
        Reference::parse_name("busybox").unwrap().familiar(),
        "busybox"
    );
}

proptest! {
    #[test]
    fn printed_is_parsed(text in "([a-z0-9.-]{1,8}(:[0-9]{1,4})?/)?[a-z0-9._-]{1,6}(/[a-z0-9_]{1,5})?(:[A-Za-z0-9_.-]{1,5})?") {
        if let Ok(reference) = Reference::parse(&text) {
            prop_assert_eq!(&Reference::parse(&reference.to_string()).unwrap(), &reference);
            prop_assert_eq!(&Reference::parse(&reference.familiar()).unwrap(), &reference);
        }
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,40}") {
        drop(Reference::parse(&text));
        drop(text.parse::<crate::Platform>());
        drop(text.parse::<crate::Name>());
        drop(text.parse::<Digest>());
    }
}
