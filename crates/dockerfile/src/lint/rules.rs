//! The rules that look at one statement at a time, and the names of all.

use crate::diagnostic::Diagnostic;
use crate::document::Dockerfile;
use crate::instruction::NAMES;
use crate::statement::{Args, Statement};

/// Rules that `# check=experimental=` turns on.
pub const EXPERIMENTAL: &[&str] = &["InvalidDefinitionDescription"];

/// All rules with one line on each; `InvalidBaseImagePlatform` is found by who knows images.
pub const ALL: &[(&str, &str)] = &[
    ("StageNameCasing", "a stage's name is in lower case"),
    ("FromAsCasing", "`as` has the case of `from`"),
    (
        "NoEmptyContinuation",
        "no empty line inside a continued instruction",
    ),
    (
        "ConsistentInstructionCasing",
        "all instructions have the same case",
    ),
    ("DuplicateStageName", "no two stages have one name"),
    (
        "ReservedStageName",
        "no stage is called `scratch` or `context`",
    ),
    (
        "JSONArgsRecommended",
        "CMD and ENTRYPOINT in exec form get signals",
    ),
    ("MaintainerDeprecated", "MAINTAINER is a label now"),
    ("UndefinedArgInFrom", "FROM uses only declared arguments"),
    ("UndefinedVar", "a variable is declared before it is used"),
    (
        "WorkdirRelativePath",
        "a relative WORKDIR depends on the base image",
    ),
    (
        "MultipleInstructionsDisallowed",
        "only the last CMD, ENTRYPOINT and HEALTHCHECK of a stage counts",
    ),
    (
        "LegacyKeyValueFormat",
        "`name=value` instead of `name value`",
    ),
    (
        "RedundantTargetPlatform",
        "the target platform is the default",
    ),
    (
        "SecretsUsedInArgOrEnv",
        "arguments and variables are no place for secrets",
    ),
    (
        "InvalidDefaultArgInFrom",
        "FROM is valid with the arguments' defaults",
    ),
    (
        "FromPlatformFlagConstDisallowed",
        "no fixed platform in FROM",
    ),
    (
        "CopyIgnoredFile",
        "what is copied is not left out by .dockerignore",
    ),
    (
        "InvalidDefinitionDescription",
        "a description starts with the name that it describes",
    ),
    ("ExposeProtoCasing", "EXPOSE has protocols in lower case"),
    (
        "ExposeInvalidFormat",
        "EXPOSE has no address and no host port",
    ),
    (
        "InvalidBaseImagePlatform",
        "the base image has the platform that was asked for",
    ),
];

/// Looks at each statement.
pub(super) fn statements(file: &Dockerfile, found: &mut Vec<Diagnostic>) {
    casing(file, found);
    for statement in &file.statements {
        empty_continuation(statement, found);
        legacy_pairs(statement, found);
        if statement.name() == "MAINTAINER" {
            found.push(
                Diagnostic::warning(
                    "MaintainerDeprecated",
                    statement.line,
                    "Maintainer instruction is deprecated in favor of using label",
                )
                .help("write LABEL org.opencontainers.image.authors=\"…\""),
            );
        }
    }
}

fn empty_continuation(statement: &Statement, found: &mut Vec<Diagnostic>) {
    if let Some(hole) = statement.holes.first() {
        found.push(
            Diagnostic::warning("NoEmptyContinuation", *hole, "Empty continuation line")
                .note("the instruction goes on in the next line; a later version will refuse this")
                .help("remove the empty line, or write `#` in it"),
        );
    }
}

fn legacy_pairs(statement: &Statement, found: &mut Vec<Diagnostic>) {
    let Args::Pairs(pairs) = &statement.args else {
        return;
    };
    let name = statement.name();
    for pair in pairs.iter().filter(|p| p.legacy) {
        found.push(
            Diagnostic::warning(
                "LegacyKeyValueFormat",
                statement.line,
                format!("\"{name} key=value\" should be used instead of legacy \"{name} key value\" format"),
            )
            .help(format!("write {name} {}={}", pair.name.text, quoted(&pair.value.text))),
        );
    }
}

fn quoted(value: &str) -> String {
    if value.contains(char::is_whitespace) && !value.contains('"') {
        format!("\"{value}\"")
    } else {
        value.replace(' ', "\\ ")
    }
}

/// The majority decides; a mixed word is in no case at all.
fn casing(file: &Dockerfile, found: &mut Vec<Diagnostic>) {
    let known: Vec<&Statement> = file
        .statements
        .iter()
        .filter(|s| NAMES.contains(&s.name().as_str()))
        .collect();
    let upper = known.iter().filter(|s| s.keyword.text == s.name()).count();
    let lower = known
        .iter()
        .filter(|s| s.keyword.text == s.keyword.text.to_lowercase())
        .count();
    let majority = if lower > upper {
        "lowercase"
    } else {
        "uppercase"
    };
    for statement in known {
        let word = &statement.keyword.text;
        let right = if lower > upper {
            word.to_lowercase()
        } else {
            statement.name()
        };
        if *word != right {
            found.push(
                Diagnostic::warning(
                    "ConsistentInstructionCasing",
                    statement.keyword.span,
                    format!("Command '{word}' should match the case of the command majority ({majority})"),
                )
                .help(format!("write {right}")),
            );
        }
    }
}
