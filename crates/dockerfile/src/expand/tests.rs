use super::*;

fn expand(env: &[(&str, &str)], text: &str) -> Result<Expanded, ExpandError> {
    let lookup = |name: &str| {
        env.iter()
            .rev()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| (*v).to_owned())
    };
    Expander::new('\\').expand(text, &lookup)
}

#[test]
fn the_table_of_words() {
    let mut env: Vec<(&str, &str)> = Vec::new();
    for line in include_str!("../../test_data/shell/wordsTest").lines() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if let Some(pair) = line.strip_prefix("ENV ") {
            env.push(pair.split_once('=').unwrap());
            continue;
        }
        let (text, want) = line.split_once(" | ").unwrap();
        let (text, want) = (text.trim(), want.trim_start());
        match expand(&env, text) {
            Ok(got) => assert_eq!(got.words.join(","), want, "{line}"),
            Err(_) => assert_eq!(want, "error", "{line}"),
        }
    }
}

#[test]
fn the_table_of_variables() {
    let env = [
        ("PWD", "/home"),
        ("SHELL", "bash"),
        ("KOREAN", "한국어"),
        ("NULL", ""),
    ];
    for line in include_str!("../../test_data/shell/envVarTest").lines() {
        let line = line
            .split('#')
            .next()
            .filter(|_| line.starts_with('#'))
            .map_or(line, |_| "");
        let parts: Vec<&str> = line.splitn(3, '|').collect();
        let [platform, text, want] = parts[..] else {
            continue;
        };
        if platform.contains('W') {
            continue;
        }
        let (text, want) = (text.trim_end(), want.trim());
        match expand(&env, text) {
            Ok(got) => assert_eq!(got.text, want, "{line}"),
            Err(_) => assert_eq!(want, "error", "{line}"),
        }
    }
}

#[test]
fn patterns_cut_and_replace() {
    let env = [("V", "usr/lib/a.tar.gz"), ("S", "a*b"), ("E", "")];
    for (text, want) in [
        ("${V#*/}", "lib/a.tar.gz"),
        ("${V##*/}", "a.tar.gz"),
        ("${V%.*}", "usr/lib/a.tar"),
        ("${V%%.*}", "usr/lib/a"),
        ("${V/lib/LIB}", "usr/LIB/a.tar.gz"),
        ("${V//a/A}", "usr/lib/A.tAr.gz"),
        ("${V//\\//-}", "usr-lib-a.tar.gz"),
        ("${V/?s/x}", "xr/lib/a.tar.gz"),
        ("${S#a\\*}", "b"),
        ("${S/\\*/+}", "a+b"),
        ("${V#nothing}", "usr/lib/a.tar.gz"),
        ("${E%x}", ""),
        ("${V//*/x}", "x"),
    ] {
        assert_eq!(expand(&env, text).unwrap().text, want, "{text}");
    }
    assert!(expand(&env, "${V#\\a}").is_err());
}

#[test]
fn a_hostile_nest_and_pattern_end() {
    let deep = "${a:-".repeat(5000);
    assert!(expand(&[], &deep).is_err());
    let value = "a".repeat(2000);
    let pattern = format!("${{V##{}b}}", "*a".repeat(50));
    assert_eq!(expand(&[("V", &value)], &pattern).unwrap().text, value);
}

#[test]
fn what_is_unset_is_told_but_not_what_has_a_default() {
    let got = expand(&[("A", "1")], "$A $B ${C:-x} ${D} $1").unwrap();
    assert_eq!(got.unset.into_iter().collect::<Vec<_>>(), ["B", "D"]);
    assert_eq!(got.used.into_iter().collect::<Vec<_>>(), ["A"]);
}
