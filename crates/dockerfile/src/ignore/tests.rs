use super::*;
use serde_json::Value;

fn tables() -> Value {
    serde_json::from_str(include_str!("../../test_data/dockerignore-patterns.json")).unwrap()
}

#[test]
fn the_matchers_table() {
    let tables = tables();
    for case in tables["tables"]["TestMatches"][0].as_array().unwrap() {
        let (pattern, path, want) = (
            case[0].as_str().unwrap(),
            case[1].as_str().unwrap(),
            case[2].as_bool().unwrap(),
        );
        assert_eq!(
            Ignore::new(&[pattern]).unwrap().excludes(path),
            want,
            "{case}"
        );
    }
    for group in &tables["tables"]["TestMatches"].as_array().unwrap()[1..3] {
        for case in group.as_array().unwrap() {
            let patterns: Vec<&str> = match &case[0] {
                Value::String(one) => vec![one],
                many => many
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|v| v.as_str().unwrap())
                    .collect(),
            };
            let want = case[2].as_bool().unwrap();
            assert_eq!(
                Ignore::new(&patterns)
                    .unwrap()
                    .excludes(case[1].as_str().unwrap()),
                want,
                "{case}"
            );
        }
    }
}

#[test]
fn gos_match_table() {
    for case in tables()["tables"]["var matchTests"][0].as_array().unwrap() {
        let (pattern, text) = (case[0].as_str().unwrap(), case[1].as_str().unwrap());
        // The table is the matcher's: a pattern that matches a parent matches.
        assert_eq!(
            Ignore::new(&[pattern]).is_ok_and(|i| i.excludes(text)),
            case[2].as_bool().unwrap(),
            "{case}"
        );
        match Glob::new(pattern) {
            Ok(glob) => {
                assert!(case[3].is_null(), "{case}");
                assert_eq!(
                    glob.matches(text),
                    case[2].as_bool().unwrap() && text != "ab/c",
                    "{case}"
                );
            }
            Err(_) => assert_eq!(case[3], "$filepath.ErrBadPattern", "{case}"),
        }
    }
}

#[test]
fn a_files_lines() {
    let text = "\u{feff}test1\n/test2\n/a/file/here\n\nlastfile\n# this is a comment\n! /inverted/abs/path\n!\n! \n";
    let want: Value =
        serde_json::from_str(include_str!("../../test_data/dockerignore-file.json")).unwrap();
    assert_eq!(
        serde_json::to_value(lines(text)).unwrap(),
        want["tables"]["TestReadAll"][0]
    );
}

#[test]
fn the_last_match_decides_and_parents_count() {
    let ignore = Ignore::parse("docs\n!docs/README.md\n*.log\n  node_modules/  \n").unwrap();
    assert!(ignore.excludes("docs"));
    assert!(ignore.excludes("docs/a/b"));
    assert!(!ignore.excludes("docs/README.md"));
    assert!(ignore.excludes("x.log"));
    assert!(!ignore.excludes("sub/x.log"), "patterns are rooted");
    assert!(ignore.excludes("node_modules/a"));
    assert!(ignore.may_keep_below("docs"));
    assert!(!ignore.may_keep_below("node_modules"));
    assert!(Ignore::parse("a\n!").is_err());
    assert!(Ignore::parse("[").is_err());
    assert!(Ignore::parse("#!x\n# [\n").unwrap().is_empty());
}

#[test]
fn go_clean() {
    for (path, want) in [
        ("", "."),
        ("a/./b//c", "a/b/c"),
        ("../a/..", ".."),
        ("/..", "/"),
        ("a/../../b", "../b"),
        ("./", "."),
    ] {
        assert_eq!(clean(path), want, "{path}");
    }
}
