//! The whole file: directives, global arguments, stages.

use crate::diagnostic::Diagnostic;
use crate::directive::{self, Directives};
use crate::instruction::{self, Arg, Instruction, Kind};
use crate::line::Lines;
use crate::source::Span;
use crate::statement::{self, Statement};
use crate::word::Word;

/// A Dockerfile.
#[derive(Debug, Clone)]
pub struct Dockerfile {
    /// What the directives at the top say.
    pub directives: Directives,
    /// ARG before the first FROM, each with its place.
    pub globals: Vec<(Arg, Span)>,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// All statements, in order, as they were cut up.
    pub statements: Vec<Statement>,
}

/// One stage.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its FROM.
    pub from: From,
    /// The FROM line as written.
    pub original: String,
    /// FROM as written.
    pub keyword: Word,
    /// Where FROM stands.
    pub span: Span,
    /// What follows it.
    pub instructions: Vec<Instruction>,
    /// The comments right above.
    pub comments: Vec<Word>,
}

/// FROM.
#[derive(Debug, Clone)]
pub struct From {
    /// An image, a stage, a named context or `scratch`, unexpanded.
    pub base: Word,
    /// The stage's name as written.
    pub name: Option<Word>,
    /// `AS` as written.
    pub as_word: Option<Word>,
    /// `--platform`, unexpanded.
    pub platform: Option<Word>,
}

impl Stage {
    /// The name in lower case, which is how it is looked up.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.from.name.as_ref().map(|n| n.text.to_lowercase())
    }
}

/// A tree and what was found on the way.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The tree; holes where the text is wrong.
    pub file: Dockerfile,
    /// In the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// The first error, if there is one.
    #[must_use]
    pub fn error(&self) -> Option<&Diagnostic> {
        self.diagnostics.iter().find(|d| d.is_error())
    }
}

impl Dockerfile {
    /// The stage with that name or number, among the first `before`. The last of several with one name.
    #[must_use]
    pub fn stage(&self, name: &str, before: usize) -> Option<usize> {
        let lower = name.to_lowercase();
        let among = &self.stages[..before.min(self.stages.len())];
        among
            .iter()
            .rposition(|s| s.name().as_deref() == Some(lower.as_str()))
            .or_else(|| name.parse::<usize>().ok().filter(|n| *n < among.len()))
    }
}

/// Reads a Dockerfile. Never fails.
#[must_use]
pub fn parse(text: &str) -> Parsed {
    let mut diagnostics = Vec::new();
    let (directives, at) = directive::read(text, &mut diagnostics);
    let mut lines = Lines::new(text, at, directives.escape);
    let mut file = Dockerfile {
        directives,
        globals: Vec::new(),
        stages: Vec::new(),
        statements: Vec::new(),
    };
    let mut orphan = false;
    while let Some(statement) = statement::next(&mut lines, &mut diagnostics) {
        add(&mut file, &statement, &mut orphan, &mut diagnostics);
        file.statements.push(statement);
    }
    if file.statements.is_empty() {
        diagnostics.push(
            Diagnostic::error(Span::new(0, 0), "file with no instructions")
                .help("start with FROM and an image"),
        );
    } else if file.stages.is_empty() && !diagnostics.iter().any(Diagnostic::is_error) {
        diagnostics.push(
            Diagnostic::error(file.statements[0].line, "no build stage in current context")
                .help("start with FROM and an image"),
        );
    }
    diagnostics.sort_by_key(|d| d.span.start);
    Parsed { file, diagnostics }
}

fn add(
    file: &mut Dockerfile,
    statement: &Statement,
    orphan: &mut bool,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if statement.name() == "FROM" {
        match instruction::from(statement) {
            Ok(from) => file.stages.push(Stage {
                from,
                original: statement.original.clone(),
                keyword: statement.keyword.clone(),
                span: statement.line,
                instructions: Vec::new(),
                comments: statement.comments.clone(),
            }),
            Err(found) => {
                // What follows belongs to the stage that could not be read.
                *orphan = true;
                diagnostics.extend(found);
            }
        }
        return;
    }
    let read = match instruction::instruction(statement) {
        Ok(read) => read,
        Err(found) => {
            diagnostics.extend(found);
            return;
        }
    };
    match (file.stages.last_mut(), read.kind) {
        (None, Kind::Arg(args)) => {
            file.globals
                .extend(args.into_iter().map(|arg| (arg, read.line)));
        }
        (None, _) => {
            if !std::mem::replace(orphan, true) {
                diagnostics.push(
                    Diagnostic::error(statement.line, "no build stage in current context")
                        .note("only ARG may stand before the first FROM")
                        .help("start with FROM and an image"),
                );
            }
        }
        (Some(stage), kind) => stage.instructions.push(Instruction { kind, ..read }),
    }
}

/// Reads one instruction on its own: an image's ONBUILD trigger.
#[must_use]
pub fn trigger(text: &str) -> (Option<Instruction>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut lines = Lines::new(text, 0, '\\');
    let read = statement::next(&mut lines, &mut diagnostics).and_then(|statement| {
        match instruction::instruction(&statement) {
            Ok(read) => Some(read),
            Err(found) => {
                diagnostics.extend(found);
                None
            }
        }
    });
    (read, diagnostics)
}
