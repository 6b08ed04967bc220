use super::*;
use crate::{Source, parse};

/// Everything that is found in a text, rendered.
fn found(text: &str) -> String {
    let parsed = parse(text);
    let source = Source::new("Dockerfile", text);
    let mut all = parsed.diagnostics.clone();
    all.extend(check(&parsed.file, &Known::default()));
    all.sort_by_key(|d| d.span.start);
    all.iter().map(|d| d.render(&source)).collect()
}

fn rules(text: &str) -> Vec<&'static str> {
    let parsed = parse(text);
    assert!(parsed.error().is_none(), "{:?}", parsed.diagnostics);
    check(&parsed.file, &Known::default())
        .iter()
        .map(|d| d.rule)
        .collect()
}

/// A rule, a text that breaks it, and one that does not.
const CASES: &[(&str, &str, &str)] = &[
    ("StageNameCasing", "FROM a AS Base", "FROM a AS base"),
    ("FromAsCasing", "FROM a as b", "FROM a AS b"),
    (
        "NoEmptyContinuation",
        "FROM a\nRUN x \\\n\n y",
        "FROM a\nRUN x \\\n# c\n y",
    ),
    (
        "ConsistentInstructionCasing",
        "FROM a\nRUN x\nrun y",
        "from a\nrun x",
    ),
    (
        "DuplicateStageName",
        "FROM a AS b\nFROM c AS b",
        "FROM a AS b\nFROM c AS d",
    ),
    (
        "ReservedStageName",
        "FROM a AS scratch",
        "FROM a AS scratchy",
    ),
    (
        "JSONArgsRecommended",
        "FROM a\nCMD x y",
        "FROM a\nCMD [\"x\"]",
    ),
    (
        "MaintainerDeprecated",
        "FROM a\nMAINTAINER x",
        "FROM a\nLABEL x=y",
    ),
    (
        "UndefinedArgInFrom",
        "ARG A=1\nFROM x:$B",
        "ARG A=1\nFROM x:$A",
    ),
    (
        "UndefinedVar",
        "FROM scratch\nCOPY $x /",
        "FROM scratch\nARG x\nCOPY $x /",
    ),
    (
        "UndefinedVar",
        "FROM b\nARG name\nCOPY $nmae /",
        "FROM b\nCOPY $HOMEDIR /",
    ),
    (
        "WorkdirRelativePath",
        "FROM a\nWORKDIR x",
        "FROM a\nWORKDIR /x\nWORKDIR y",
    ),
    (
        "MultipleInstructionsDisallowed",
        "FROM a\nCMD [\"x\"]\nCMD [\"y\"]",
        "FROM a\nCMD [\"y\"]",
    ),
    (
        "LegacyKeyValueFormat",
        "FROM a\nENV x y z",
        "FROM a\nENV x=\"y z\"",
    ),
    (
        "RedundantTargetPlatform",
        "FROM --platform=$TARGETPLATFORM a",
        "FROM --platform=$BUILDPLATFORM a",
    ),
    (
        "SecretsUsedInArgOrEnv",
        "FROM a\nARG AWS_SECRET_KEY",
        "FROM a\nARG PUBLIC_KEY\nENV KEYBOARD=x",
    ),
    (
        "InvalidDefaultArgInFrom",
        "ARG V\nFROM a:$V",
        "ARG V=1\nFROM a:$V",
    ),
    (
        "FromPlatformFlagConstDisallowed",
        "FROM --platform=linux/amd64 a",
        "FROM --platform=linux/amd64 a AS build_amd64",
    ),
    (
        "ExposeProtoCasing",
        "FROM a\nEXPOSE 80/TCP",
        "FROM a\nEXPOSE 80/tcp",
    ),
    (
        "ExposeInvalidFormat",
        "FROM a\nEXPOSE 127.0.0.1:80:80",
        "FROM a\nEXPOSE 80-90",
    ),
];

#[test]
fn each_rule_finds_its_case_and_not_the_right_one() {
    for (rule, bad, good) in CASES {
        assert!(rules(bad).contains(rule), "{rule} is not found in {bad}");
        assert!(!rules(good).contains(rule), "{rule} is found in {good}");
        assert!(rules::ALL.iter().any(|(name, _)| name == rule));
        let skipped = format!("# check=skip={rule}\n{bad}");
        assert!(!rules(&skipped).contains(rule), "{rule} is not skipped");
    }
}

#[test]
fn ignored_files_and_errors_by_directive() {
    let ignore = Ignore::parse("secret\n*.md\n!README.md").unwrap();
    let parsed = parse("# check=error=true\nFROM a\nCOPY secret/x README.md /\n");
    let known = Known {
        ignore: Some(&ignore),
        ..Known::default()
    };
    let all = check(&parsed.file, &known);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].rule, "CopyIgnoredFile");
    assert!(all[0].is_error());
}

#[test]
fn a_place_an_underline_a_cause_and_a_fix() {
    assert_eq!(
        found("FROM busybox\nRNU echo hi\n"),
        "error: unknown instruction: RNU\n --> Dockerfile:2:1\n  |\n2 | RNU echo hi\n  | ^^^\n  = help: did you mean RUN?\n"
    );
    assert_eq!(
        found("FROM busybox\n// build it\n"),
        "error: unknown instruction: //\n --> Dockerfile:2:1\n  |\n2 | // build it\n  | ^^\n  = note: a comment in a Dockerfile starts with `#`\n  = help: put `#` in front of the line\n"
    );
    assert_eq!(
        found("FROM busybox\nENTRYPOINT [\"java\", \"-jar\"\nSHELL [\"x\"]\n"),
        "warning: this is read as plain text, not as a list: the array has no closing `]`\n --> Dockerfile:2:12\n  |\n2 | ENTRYPOINT [\"java\", \"-jar\"\n  |            ^^^^^^^^^^^^^^^\n  = note: a list that is not valid JSON is taken word by word, brackets and quotes included\n  = help: add `]` at the end\n"
    );
}

#[test]
fn flags_mounts_and_variables_have_their_own_words() {
    for (text, want) in [
        ("FROM a\nCOPY --chwon=1 a b", "did you mean --chown?"),
        (
            "FROM a\nCOPY --checksum=1 a b",
            "--checksum is a flag of ADD; remove it here",
        ),
        ("FROM a\nCOPY --chown a b", "missing a value on flag: chown"),
        (
            "FROM a\nRUN --mount=type=chache,target=/x y",
            "did you mean cache?",
        ),
        ("FROM a\nRUN --mount=type=cache y", "needs target=PATH"),
        (
            "FROM a\nRUN --mount=type=tmpfs,target=/x,bind-propagation=shared y",
            "unexpected key 'bind-propagation'",
        ),
        (
            "FROM a\nRUN --security=none y",
            "--security is one of sandbox, insecure",
        ),
        ("FROM a\nENV x=${y", "add the closing `}`"),
        ("FROM a\nRUN <<EOF\nx\n", "unterminated heredoc"),
        ("FROM a\nHEALTHCHECK --interval=5 CMD x", "invalid duration"),
        ("RUN x", "no build stage in current context"),
        ("FROM a AS 1x", "invalid name for build stage"),
        ("# escape=x\nFROM a", "Must be ` or \\"),
        ("# excape=`\nFROM a", "did you mean `# escape=`"),
    ] {
        assert!(found(text).contains(want), "{text}: {}", found(text));
    }
}

#[test]
fn spans_survive_continuations_and_wide_letters() {
    let text = "FROM busybox\nCOPY ä \\\n  # comment\n  --bad $b /x\n";
    assert!(
        found("FROM scratch\nCOPY ä \\\n # c\n  ${b} /x\n").contains("Dockerfile:4:3"),
        "{}",
        found(text)
    );
    assert!(found("FROM scratch\nENV a=ü b=$c\n").contains("Dockerfile:2:11"));
}
