//! A statement becomes an instruction, or a diagnostic in the frontend's words.

use crate::diagnostic::Diagnostic;
use crate::document::From;
use crate::heredoc::{self, Heredoc};
use crate::instruction::flags::Flags;
use crate::instruction::mount::Mount;
use crate::instruction::{
    Arg, Command, Copy, CopySource, Health, Instruction, Kind, NAMES, Run, health,
};
use crate::source::Span;
use crate::statement::{Args, Statement};
use crate::suggest;
use crate::word::Word;

/// Nothing: the statement's mistake has a diagnostic already.
type Read<T> = Result<T, Option<Diagnostic>>;

fn wrong<T>(diagnostic: Diagnostic) -> Read<T> {
    Err(Some(diagnostic))
}

/// Reads any instruction but FROM.
pub(crate) fn instruction(statement: &Statement) -> Read<Instruction> {
    Ok(Instruction {
        kind: kind(statement)?,
        keyword: statement.keyword.clone(),
        original: statement.original.clone(),
        span: statement.span,
        line: statement.line,
    })
}

fn kind(statement: &Statement) -> Read<Kind> {
    if matches!(statement.args, Args::Broken) {
        return Err(None);
    }
    let name = statement.name();
    if !NAMES.contains(&name.as_str()) {
        return wrong(unknown(statement));
    }
    let flags = Flags::read(&name, &statement.flags).map_err(Some)?;
    Ok(match name.as_str() {
        "ADD" => Kind::Add(copy(statement, &flags)?),
        "COPY" => Kind::Copy(copy(statement, &flags)?),
        "ARG" => Kind::Arg(args(statement)?),
        "CMD" => Kind::Cmd(command(statement)?),
        "ENTRYPOINT" => Kind::Entrypoint(command(statement)?),
        "ENV" => Kind::Env(pairs(statement)?),
        "LABEL" => Kind::Label(pairs(statement)?),
        "EXPOSE" => Kind::Expose(at_least_one(statement)?),
        "HEALTHCHECK" => Kind::Healthcheck(healthcheck(statement, &flags)?),
        "MAINTAINER" => Kind::Maintainer(exactly_one(statement)?),
        "ONBUILD" => onbuild(statement)?,
        "RUN" => Kind::Run(run(statement, &flags)?),
        "SHELL" => Kind::Shell(shell(statement)?),
        "STOPSIGNAL" => Kind::Stopsignal(exactly_one(statement)?),
        "USER" => Kind::User(exactly_one(statement)?),
        "VOLUME" => Kind::Volume(volume(statement)?),
        _ => Kind::Workdir(exactly_one(statement)?),
    })
}

fn unknown(statement: &Statement) -> Diagnostic {
    let written = &statement.keyword.text;
    let diagnostic = Diagnostic::error(
        statement.keyword.span,
        format!("unknown instruction: {written}"),
    );
    if written.starts_with("//") || written.starts_with("/*") {
        return diagnostic
            .note("a comment in a Dockerfile starts with `#`")
            .help("put `#` in front of the line");
    }
    if written.starts_with("--") || written.starts_with("&&") || written.starts_with('|') {
        return diagnostic
            .note("this looks like the rest of the instruction above, whose line does not end in a backslash")
            .help("end the line above with ` \\`");
    }
    match suggest::nearest(written, NAMES.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean {meant}?")),
        None => diagnostic.help(format!("instructions are {}", NAMES.join(", "))),
    }
}

/// Where something is missing: the end of the line.
fn end(statement: &Statement) -> Span {
    statement.line
}

fn exactly_one(statement: &Statement) -> Read<Word> {
    match &statement.args {
        Args::Text(word, _) => Ok(word.clone()),
        _ => wrong(
            Diagnostic::error(
                end(statement),
                format!("{} requires exactly one argument", statement.name()),
            )
            .help(format!(
                "write {} and its value on one line",
                statement.name()
            )),
        ),
    }
}

fn at_least_one(statement: &Statement) -> Read<Vec<Word>> {
    match &statement.args {
        Args::Words(words) | Args::Json(words) if !words.is_empty() => Ok(words.clone()),
        _ => wrong(
            Diagnostic::error(
                end(statement),
                format!("{} requires at least one argument", statement.name()),
            )
            .help(format!(
                "write {} and its value on one line",
                statement.name()
            )),
        ),
    }
}

fn volume(statement: &Statement) -> Read<Vec<Word>> {
    let words = at_least_one(statement)?;
    match words.iter().find(|w| w.text.trim().is_empty()) {
        Some(word) => wrong(
            Diagnostic::error(word.span, "VOLUME specified can not be an empty string")
                .help("name an absolute path"),
        ),
        None => Ok(words),
    }
}

fn pairs(statement: &Statement) -> Read<Vec<crate::statement::Pair>> {
    let Args::Pairs(pairs) = &statement.args else {
        return wrong(
            Diagnostic::error(
                end(statement),
                format!("{} requires at least one argument", statement.name()),
            )
            .help(format!("write {} name=value", statement.name())),
        );
    };
    match pairs.iter().find(|p| p.name.text.is_empty()) {
        Some(pair) => wrong(
            Diagnostic::error(
                pair.value.span,
                format!("{} names can not be blank", statement.name()),
            )
            .help("write a name before the equals sign, without a space between them"),
        ),
        None => Ok(pairs.clone()),
    }
}

fn args(statement: &Statement) -> Read<Vec<Arg>> {
    let mut out = Vec::new();
    for word in at_least_one(statement)? {
        let (name, default) = match word.text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.text.as_str(), None),
        };
        if name.is_empty() {
            return wrong(
                Diagnostic::error(word.span, "ARG names can not be blank")
                    .help("write ARG name=default"),
            );
        }
        let split = word.span.start + name.len();
        out.push(Arg {
            name: Word {
                text: name.to_owned(),
                span: Span::new(word.span.start, split),
            },
            default: default.map(|text| Word {
                text: text.to_owned(),
                span: Span::new((split + 1).min(word.span.end), word.span.end),
            }),
        });
    }
    Ok(out)
}

fn command_of(args: &Args) -> Command {
    match args {
        Args::Json(words) => Command::Exec(words.clone()),
        Args::Text(word, _) => Command::Shell(word.clone()),
        _ => Command::Exec(Vec::new()),
    }
}

fn command(statement: &Statement) -> Read<Command> {
    Ok(command_of(&statement.args))
}

fn shell(statement: &Statement) -> Read<Vec<Word>> {
    match &statement.args {
        Args::Json(words) if !words.is_empty() => Ok(words.clone()),
        Args::Text(word, _) => wrong(
            Diagnostic::error(word.span, "SHELL requires the arguments to be in JSON form")
                .help("write SHELL [\"/bin/bash\", \"-c\"]"),
        ),
        _ => wrong(
            Diagnostic::error(end(statement), "SHELL requires at least one argument")
                .help("write SHELL [\"/bin/bash\", \"-c\"]"),
        ),
    }
}

fn run(statement: &Statement, flags: &Flags) -> Read<Run> {
    let run = Run {
        command: command_of(&statement.args),
        heredocs: statement.heredocs.clone(),
        mounts: flags.list("mount"),
        network: flags.text("network"),
        security: flags.text("security"),
        devices: flags.list("device"),
    };
    for mount in run.mounts.iter().filter(|m| !m.text.contains('$')) {
        if let Err(message) = Mount::parse(&mount.text) {
            return wrong(Diagnostic::error(mount.span, message));
        }
    }
    let choices: [(&Option<Word>, &[&str], &str); 2] = [
        (&run.network, &["default", "none", "host"], "network"),
        (&run.security, &["sandbox", "insecure"], "security"),
    ];
    for (word, known, flag) in choices {
        if let Some(word) = word
            && !known.contains(&word.text.as_str())
        {
            return wrong(
                Diagnostic::error(word.span, format!("invalid {flag} mode {:?}", word.text))
                    .help(format!("--{flag} is one of {}", known.join(", "))),
            );
        }
    }
    if matches!(&run.command, Command::Exec(words) if words.is_empty()) {
        return wrong(
            Diagnostic::error(end(statement), "RUN requires at least one argument")
                .help("write RUN and a command"),
        );
    }
    Ok(run)
}

fn copy(statement: &Statement, flags: &Flags) -> Read<Copy> {
    let name = statement.name();
    let mut words = match &statement.args {
        Args::Words(words) | Args::Json(words) => words.clone(),
        _ => Vec::new(),
    };
    let target = match words.pop() {
        Some(target) if !words.is_empty() => target,
        _ => {
            return wrong(
                Diagnostic::error(
                    end(statement),
                    format!("{name} requires at least two arguments, but only {} provided. Destination could not be determined",
                        if matches!(statement.args, Args::Nothing) { "zero were" } else { "one was" }),
                )
                .help(format!("write {name} SOURCE... TARGET")),
            );
        }
    };
    let inline = matches!(statement.args, Args::Words(_));
    if inline && heredoc::word(&target.text).is_some() {
        return wrong(
            Diagnostic::error(
                target.span,
                format!("{name} cannot accept a heredoc as a destination"),
            )
            .help(format!("write {name} <<NAME TARGET")),
        );
    }
    let sources = words
        .into_iter()
        .map(|word| source(word, inline, &statement.heredocs))
        .collect();
    let copy = Copy {
        sources,
        target,
        from: flags.text("from"),
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.toggle("link"),
        parents: flags.toggle("parents"),
        excludes: flags.list("exclude"),
        checksum: flags.text("checksum"),
        keep_git_dir: flags.toggle("keep-git-dir"),
        unpack: flags.given("unpack"),
    };
    if copy.from.as_ref().is_some_and(|f| f.text.is_empty()) {
        return wrong(
            Diagnostic::error(end(statement), "COPY --from needs a value")
                .help("name a stage or an image"),
        );
    }
    Ok(copy)
}

fn source(word: Word, inline: bool, heredocs: &[Heredoc]) -> CopySource {
    let started = if inline {
        heredoc::word(&word.text)
    } else {
        None
    };
    match started.and_then(|h| heredocs.iter().find(|o| o.name == h.name)) {
        Some(heredoc) => CopySource::Inline(heredoc.clone()),
        None => CopySource::Path(word),
    }
}

fn onbuild(statement: &Statement) -> Read<Kind> {
    let Args::Sub(sub) = &statement.args else {
        return wrong(
            Diagnostic::error(end(statement), "ONBUILD requires at least one argument")
                .help("write ONBUILD and an instruction"),
        );
    };
    match sub.name().as_str() {
        "ONBUILD" => wrong(
            Diagnostic::error(
                sub.keyword.span,
                "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
            )
            .help("remove one ONBUILD"),
        ),
        name @ ("FROM" | "MAINTAINER") => wrong(
            Diagnostic::error(
                sub.keyword.span,
                format!("{name} isn't allowed as an ONBUILD trigger"),
            )
            .help("remove the line"),
        ),
        _ => {
            let mut text = sub.original.clone();
            for heredoc in &sub.heredocs {
                text.push('\n');
                text.push_str(&heredoc.content);
                text.push_str(&heredoc.name);
            }
            let inner = instruction(sub)?;
            Ok(Kind::Onbuild(
                Word {
                    text,
                    span: sub.keyword.span.to(statement.span),
                },
                Box::new(inner),
            ))
        }
    }
}

fn healthcheck(statement: &Statement, flags: &Flags) -> Read<Health> {
    let Args::Typed(kind, args) = &statement.args else {
        return wrong(
            Diagnostic::error(end(statement), "HEALTHCHECK requires at least one argument")
                .help("write HEALTHCHECK CMD and a command, or HEALTHCHECK NONE"),
        );
    };
    match kind.text.to_ascii_uppercase().as_str() {
        "NONE" => match **args {
            Args::Nothing => return Ok(Health::None),
            _ => {
                return wrong(
                    Diagnostic::error(end(statement), "HEALTHCHECK NONE takes no arguments")
                        .help("remove what follows NONE"),
                );
            }
        },
        "CMD" => {}
        other => {
            return wrong(
                Diagnostic::error(
                    kind.span,
                    format!("Unknown type {other:?} in HEALTHCHECK (try CMD)"),
                )
                .help(format!("write HEALTHCHECK CMD {}", kind.text)),
            );
        }
    }
    match **args {
        Args::Broken => return Err(None),
        Args::Nothing => {
            return wrong(
                Diagnostic::error(end(statement), "Missing command after HEALTHCHECK CMD")
                    .help("write the command that tests the health"),
            );
        }
        _ => {}
    }
    let time = |name: &str| match flags.text(name) {
        None => Ok(0),
        Some(word) => match health::duration(&word.text) {
            None => Err(Some(
                Diagnostic::error(word.span, format!("time: invalid duration {:?}", word.text))
                    .help(format!("write --{name}=30s")),
            )),
            Some(value) if value != 0 && value < 1_000_000 => Err(Some(
                Diagnostic::error(
                    word.span,
                    format!("Interval {name:?} cannot be less than 1ms"),
                )
                .help(format!("write --{name}=30s")),
            )),
            Some(value) => Ok(value),
        },
    };
    let retries = match flags.text("retries") {
        None => 0,
        Some(word) => match word.text.parse::<i32>() {
            Ok(retries) if retries >= 0 => i64::from(retries),
            _ => {
                return wrong(
                    Diagnostic::error(word.span, format!("--retries cannot be {}", word.text))
                        .help("write --retries=3"),
                );
            }
        },
    };
    Ok(Health::Test {
        command: command_of(args),
        interval: time("interval")?,
        timeout: time("timeout")?,
        start_period: time("start-period")?,
        start_interval: time("start-interval")?,
        retries,
    })
}

/// Reads FROM.
pub(crate) fn from(statement: &Statement) -> Read<From> {
    let flags = Flags::read("FROM", &statement.flags).map_err(Some)?;
    let words = match &statement.args {
        Args::Words(words) => words.as_slice(),
        _ => &[],
    };
    let (base, as_word, name) = match words {
        [base] => (base, None, None),
        [base, word, name] if word.text.eq_ignore_ascii_case("as") => {
            (base, Some(word), Some(name))
        }
        _ => {
            return wrong(
                Diagnostic::error(
                    end(statement),
                    "FROM requires either one or three arguments",
                )
                .help("write FROM image, or FROM image AS name"),
            );
        }
    };
    if let Some(name) = name
        && !valid_stage_name(&name.text)
    {
        return wrong(
            Diagnostic::error(
                name.span,
                format!("invalid name for build stage: {:?}, name can't start with a number or contain symbols", name.text),
            )
            .help("a stage's name has letters, digits, `-`, `_` and `.`, and starts with a letter"),
        );
    }
    Ok(From {
        base: base.clone(),
        name: name.cloned(),
        as_word: as_word.cloned(),
        platform: flags.text("platform"),
    })
}

fn valid_stage_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with(|c: char| c.is_ascii_lowercase())
        && lower
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'))
}
