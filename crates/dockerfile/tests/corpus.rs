//! The frontend's own files: each tree is as expected, each refusal in its words.

use std::fmt::Write as _;
use std::path::PathBuf;

use dockerfile::statement::{Args, Statement};

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("test_data")
        .join(name)
}

/// As Go's `%q`.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn dump_args(args: &Args, out: &mut String) {
    match args {
        Args::Nothing | Args::Broken => {}
        Args::Words(words) | Args::Json(words) => {
            for word in words {
                let _ = write!(out, " {}", quote(&word.text));
            }
        }
        Args::Text(word, _) => {
            let _ = write!(out, " {}", quote(&word.text));
        }
        Args::Pairs(pairs) => {
            for pair in pairs {
                let sep = if pair.legacy { "" } else { "=" };
                let _ = write!(
                    out,
                    " {} {} {}",
                    quote(&pair.name.text),
                    quote(&pair.value.text),
                    quote(sep)
                );
            }
        }
        Args::Typed(kind, args) => {
            let _ = write!(out, " {}", quote(&kind.text));
            dump_args(args, out);
        }
        Args::Sub(sub) => {
            let _ = write!(out, " ({})", dump(sub).trim_matches(['(', ')']));
        }
    }
}

fn dump(statement: &Statement) -> String {
    let mut out = format!("({}", statement.keyword.text.to_lowercase());
    if !statement.flags.is_empty() {
        let flags: Vec<String> = statement.flags.iter().map(|f| quote(&f.text)).collect();
        let _ = write!(out, " [{}]", flags.join(" "));
    }
    dump_args(&statement.args, &mut out);
    out + ")"
}

#[test]
fn trees() {
    let mut seen = 0;
    for entry in std::fs::read_dir(data("parser/testfiles")).unwrap() {
        let dir = entry.unwrap().path();
        let text = std::fs::read_to_string(dir.join("Dockerfile")).unwrap();
        let want = std::fs::read_to_string(dir.join("result")).unwrap();
        let parsed = dockerfile::parse(&text);
        let got: Vec<String> = parsed.file.statements.iter().map(dump).collect();
        assert_eq!(got.join("\n").trim(), want.trim(), "{}", dir.display());
        seen += 1;
    }
    assert!(seen > 30);
}

#[test]
fn refusals() {
    for entry in std::fs::read_dir(data("parser/testfiles-negative")).unwrap() {
        let dir = entry.unwrap().path();
        let text = std::fs::read_to_string(dir.join("Dockerfile")).unwrap_or_default();
        let parsed = dockerfile::parse(&text);
        assert!(parsed.error().is_some(), "{}", dir.display());
    }
}

#[test]
fn line_numbers() {
    let text = std::fs::read_to_string(data("parser/testfile-line/Dockerfile")).unwrap();
    let source = dockerfile::Source::new("Dockerfile", text.clone());
    let lines: Vec<(usize, usize)> = dockerfile::parse(&text)
        .file
        .statements
        .iter()
        .map(|s| source.lines_of(s.line))
        .collect();
    // The last instruction goes on over comments and empty lines; its text ends where its last words do.
    assert_eq!(lines[0], (5, 5));
    assert_eq!(lines[1], (11, 12));
    assert_eq!(lines[2].0, 17);
}

#[test]
fn words_of_errors() {
    let table: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(data("dockerfile-instructions.json")).unwrap(),
    )
    .unwrap();
    for case in table["tables"]["TestErrorCases"][0].as_array().unwrap() {
        let text = format!("FROM scratch\n{}", case["dockerfile"].as_str().unwrap());
        let parsed = dockerfile::parse(&text);
        let error = parsed.error().expect("an error");
        assert!(
            error
                .message
                .contains(case["expectedError"].as_str().unwrap()),
            "{case}: {}",
            error.message
        );
    }
    for name in ["ENV", "LABEL", "ONBUILD", "HEALTHCHECK", "EXPOSE", "VOLUME"] {
        let parsed = dockerfile::parse(&format!("FROM scratch\n{name}"));
        assert!(
            parsed
                .error()
                .unwrap()
                .message
                .contains("requires at least one argument"),
            "{name}"
        );
    }
    for name in ["MAINTAINER", "WORKDIR", "USER", "STOPSIGNAL"] {
        let parsed = dockerfile::parse(&format!("FROM scratch\n{name}"));
        assert!(
            parsed
                .error()
                .unwrap()
                .message
                .contains("requires exactly one argument"),
            "{name}"
        );
    }
    for name in ["ENV", "LABEL"] {
        let parsed = dockerfile::parse(&format!("FROM scratch\n{name} =arg2"));
        assert!(
            parsed
                .error()
                .unwrap()
                .message
                .contains("names can not be blank"),
            "{name}"
        );
    }
}
