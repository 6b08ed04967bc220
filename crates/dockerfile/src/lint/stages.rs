//! The rules that look at a stage as a whole.

use crate::diagnostic::Diagnostic;
use crate::document::{Dockerfile, Stage};
use crate::instruction::{Command, Copy, CopySource, Instruction, Kind};
use crate::lint::Known;
use crate::source::Span;
use crate::word::Word;

pub(super) fn check(file: &Dockerfile, known: &Known<'_>, found: &mut Vec<Diagnostic>) {
    let mut names: Vec<String> = Vec::new();
    for (index, stage) in file.stages.iter().enumerate() {
        from(stage, &mut names, found);
        descriptions(stage, found);
        repeated(stage, found);
        let derived = file.stage(&stage.from.base.text, index).is_some();
        instructions(stage, derived, known, found);
    }
}

fn from(stage: &Stage, names: &mut Vec<String>, found: &mut Vec<Diagnostic>) {
    let (Some(name), Some(word)) = (stage.name(), &stage.from.name) else {
        return;
    };
    if word.text != name {
        found.push(
            Diagnostic::warning(
                "StageNameCasing",
                word.span,
                format!("Stage name '{}' should be lowercase", word.text),
            )
            .help(format!("write AS {name}")),
        );
    }
    if let Some(written) = &stage.from.as_word {
        let upper = stage.keyword.text == stage.keyword.text.to_uppercase();
        let right = if upper { "AS" } else { "as" };
        if written.text != right {
            found.push(
                Diagnostic::warning(
                    "FromAsCasing",
                    written.span,
                    format!(
                        "'{}' and '{}' keywords' casing do not match",
                        written.text, stage.keyword.text
                    ),
                )
                .help(format!("write {right}")),
            );
        }
    }
    if ["scratch", "context"].contains(&name.as_str()) {
        found.push(
            Diagnostic::warning(
                "ReservedStageName",
                word.span,
                format!("Stage name should not use the same name as reserved stage {name:?}"),
            )
            .help("give the stage another name"),
        );
    }
    if names.contains(&name) {
        found.push(
            Diagnostic::warning(
                "DuplicateStageName",
                word.span,
                format!(
                    "Duplicate stage name {:?}, stage names should be unique",
                    word.text
                ),
            )
            .note("the name stands for the last stage that has it")
            .help("give the stage another name"),
        );
    }
    names.push(name);
}

fn descriptions(stage: &Stage, found: &mut Vec<Diagnostic>) {
    let (Some(comment), Some(name)) = (stage.comments.last(), &stage.from.name) else {
        return;
    };
    if !comment.text.starts_with(&format!("{} ", name.text)) {
        found.push(
            Diagnostic::warning(
                "InvalidDefinitionDescription",
                comment.span,
                format!(
                    "Comment for build stage should follow the format: `# {} <description>`",
                    name.text
                ),
            )
            .help("start the comment with the stage's name, or put an empty line below it"),
        );
    }
}

fn repeated(stage: &Stage, found: &mut Vec<Diagnostic>) {
    type Is = fn(&Kind) -> bool;
    let wanted: [(&str, Is); 3] = [
        ("CMD", |k| matches!(k, Kind::Cmd(_))),
        ("ENTRYPOINT", |k| matches!(k, Kind::Entrypoint(_))),
        ("HEALTHCHECK", |k| matches!(k, Kind::Healthcheck(_))),
    ];
    for (name, is) in wanted {
        let all: Vec<&Instruction> = stage.instructions.iter().filter(|i| is(&i.kind)).collect();
        for instruction in all.iter().rev().skip(1).rev() {
            found.push(
                Diagnostic::warning(
                    "MultipleInstructionsDisallowed",
                    instruction.line,
                    format!("Multiple {name} instructions should not be used in the same stage because only the last one will be used"),
                )
                .help("remove this one"),
            );
        }
    }
}

fn instructions(stage: &Stage, derived: bool, known: &Known<'_>, found: &mut Vec<Diagnostic>) {
    let own_shell = stage
        .instructions
        .iter()
        .any(|i| matches!(i.kind, Kind::Shell(_)));
    // A relative WORKDIR is fine behind an absolute one; a base stage of this file is taken to have one.
    let mut absolute = derived;
    for instruction in &stage.instructions {
        match &instruction.kind {
            Kind::Cmd(Command::Shell(text)) | Kind::Entrypoint(Command::Shell(text))
                if !own_shell =>
            {
                let name = instruction.keyword.text.to_ascii_uppercase();
                let words: Vec<String> = text
                    .text
                    .split_whitespace()
                    .map(|w| format!("{w:?}"))
                    .collect();
                found.push(
                    Diagnostic::warning(
                        "JSONArgsRecommended",
                        instruction.line,
                        format!("JSON arguments recommended for {name} to prevent unintended behavior related to OS signals"),
                    )
                    .note("the shell is process 1 then, and gets the signals in the program's place")
                    .help(format!("write {name} [{}]", words.join(", "))),
                );
            }
            Kind::Workdir(path) => {
                let rooted = path.text.trim_matches(['"', '\'']).starts_with(['/', '$']);
                if !rooted && !absolute {
                    found.push(
                        Diagnostic::warning(
                            "WorkdirRelativePath",
                            path.span,
                            format!("Relative workdir {:?} can have unexpected results if the base image changes", path.text),
                        )
                        .help(format!("write WORKDIR /{}", path.text.trim_start_matches("./"))),
                    );
                }
                absolute |= rooted;
            }
            Kind::Expose(ports) => ports.iter().for_each(|port| expose(port, found)),
            Kind::Arg(args) => args.iter().for_each(|arg| secret("ARG", &arg.name, found)),
            Kind::Env(pairs) => pairs
                .iter()
                .for_each(|pair| secret("ENV", &pair.name, found)),
            Kind::Copy(copy) => ignored("Copy", copy, known, found),
            Kind::Add(copy) => ignored("Add", copy, known, found),
            _ => {}
        }
    }
}

fn expose(port: &Word, found: &mut Vec<Diagnostic>) {
    if port.text.contains('$') {
        return;
    }
    let (ports, protocol) = match port.text.split_once('/') {
        Some((ports, protocol)) => (ports, protocol),
        None => (port.text.as_str(), ""),
    };
    let lower = protocol.to_lowercase();
    if protocol != lower {
        found.push(
            Diagnostic::warning(
                "ExposeProtoCasing",
                port.span,
                format!(
                    "Defined protocol '{}' in EXPOSE instruction should be lowercase",
                    port.text
                ),
            )
            .help(format!("write {ports}/{lower}")),
        );
    }
    if ports.contains(':') {
        let own = ports.rsplit(':').next().unwrap_or(ports);
        found.push(
            Diagnostic::warning(
                "ExposeInvalidFormat",
                port.span,
                format!("EXPOSE instruction should not define an IP address or host-port mapping, found '{}'", port.text),
            )
            .help(format!("write EXPOSE {own}, and -p when the container is run")),
        );
    }
}

/// Names that say what they hold, as whole words between underscores.
const SECRET: &[&str] = &[
    "apikey",
    "auth",
    "credential",
    "credentials",
    "key",
    "password",
    "pword",
    "passwd",
    "secret",
    "token",
];

pub(super) fn secret(instruction: &str, name: &Word, found: &mut Vec<Diagnostic>) {
    let lower = name.text.to_lowercase();
    let parts: Vec<&str> = lower.split('_').collect();
    if parts.contains(&"public") || !parts.iter().any(|p| SECRET.contains(p)) {
        return;
    }
    found.push(
        Diagnostic::warning(
            "SecretsUsedInArgOrEnv",
            name.span,
            format!(
                "Do not use ARG or ENV instructions for sensitive data ({instruction} {:?})",
                name.text
            ),
        )
        .note("whoever has the image can read it")
        .help(format!(
            "write RUN --mount=type=secret,id={} and build with --secret",
            name.text
        )),
    );
}

fn ignored(verb: &str, copy: &Copy, known: &Known<'_>, found: &mut Vec<Diagnostic>) {
    let Some(ignore) = known.ignore else { return };
    if copy.from.is_some() {
        return;
    }
    for source in &copy.sources {
        let CopySource::Path(word) = source else {
            continue;
        };
        if word.text.contains('$')
            || crate::glob::Glob::is_pattern(&word.text)
            || is_remote(&word.text)
        {
            continue;
        }
        let path = crate::ignore::clean(&word.text);
        let path = path.trim_start_matches('/');
        if !path.is_empty() && path != "." && ignore.excludes(path) && !ignore.may_keep_below(path)
        {
            found.push(copy_ignored(verb, &word.text, word.span));
        }
    }
}

fn copy_ignored(verb: &str, path: &str, span: Span) -> Diagnostic {
    Diagnostic::warning(
        "CopyIgnoredFile",
        span,
        format!("Attempting to {verb} file {path:?} that is excluded by .dockerignore"),
    )
    .help(format!("add `!{path}` to .dockerignore, or do not copy it"))
}

fn is_remote(text: &str) -> bool {
    text.contains("://") || text.starts_with("git@")
}
