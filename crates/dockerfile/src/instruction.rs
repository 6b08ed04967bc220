//! What a stage is made of. Texts are as written: whoever knows the variables expands them.

pub(crate) mod flags;
mod health;
pub mod mount;
mod parse;

pub use flags::{FLAGS, Flag};
pub use health::duration;
pub use mount::{Mount, Sharing};
pub(crate) use parse::{from, instruction};

use crate::heredoc::Heredoc;
use crate::source::Span;
use crate::statement::Pair;
use crate::word::Word;

/// The names of all instructions.
pub const NAMES: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// One instruction of a stage.
#[derive(Debug, Clone)]
pub struct Instruction {
    /// What it does.
    pub kind: Kind,
    /// Its name as written.
    pub keyword: Word,
    /// The line without continuations, as history and progress show it.
    pub original: String,
    /// Where it stands, here-documents included.
    pub span: Span,
    /// Where its own line or lines stand.
    pub line: Span,
}

/// What an instruction does.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Copies from the context, a URL or a git repository, unpacking archives.
    Add(Copy),
    /// Declares build arguments.
    Arg(Vec<Arg>),
    /// The default command.
    Cmd(Command),
    /// Copies from the context, a stage or an image.
    Copy(Copy),
    /// What is always run.
    Entrypoint(Command),
    /// Variables that stay in the image.
    Env(Vec<Pair>),
    /// Ports.
    Expose(Vec<Word>),
    /// How health is tested.
    Healthcheck(Health),
    /// Labels.
    Label(Vec<Pair>),
    /// The author (deprecated).
    Maintainer(Word),
    /// An instruction for images built on this one.
    Onbuild(Word, Box<Instruction>),
    /// Runs a command.
    Run(Run),
    /// The shell for shell forms.
    Shell(Vec<Word>),
    /// The signal that asks the container to stop.
    Stopsignal(Word),
    /// Who runs.
    User(Word),
    /// Volumes.
    Volume(Vec<Word>),
    /// The working directory.
    Workdir(Word),
}

/// A command in one of its two forms.
#[derive(Debug, Clone)]
pub enum Command {
    /// Words that are executed as they are.
    Exec(Vec<Word>),
    /// A text for the shell.
    Shell(Word),
}

/// `ARG name` or `ARG name=default`.
#[derive(Debug, Clone)]
pub struct Arg {
    /// The name.
    pub name: Word,
    /// The default.
    pub default: Option<Word>,
}

/// RUN.
#[derive(Debug, Clone)]
pub struct Run {
    /// What is run.
    pub command: Command,
    /// Its here-documents.
    pub heredocs: Vec<Heredoc>,
    /// The `--mount` values, unexpanded; [`Mount::parse`] reads them.
    pub mounts: Vec<Word>,
    /// `--network`: `default`, `none` or `host`.
    pub network: Option<Word>,
    /// `--security`: `sandbox` or `insecure`.
    pub security: Option<Word>,
    /// `--device` values.
    pub devices: Vec<Word>,
}

/// COPY and ADD.
#[derive(Debug, Clone)]
pub struct Copy {
    /// What is copied, in the order in which it stands.
    pub sources: Vec<CopySource>,
    /// Where to.
    pub target: Word,
    /// `--from` (COPY): a stage, its number, an image or a named context.
    pub from: Option<Word>,
    /// `--chown`.
    pub chown: Option<Word>,
    /// `--chmod`.
    pub chmod: Option<Word>,
    /// `--link`.
    pub link: Toggle,
    /// `--parents` (COPY).
    pub parents: Toggle,
    /// `--exclude` values.
    pub excludes: Vec<Word>,
    /// `--checksum` (ADD).
    pub checksum: Option<Word>,
    /// `--keep-git-dir` (ADD).
    pub keep_git_dir: Toggle,
    /// `--unpack` (ADD), if given.
    pub unpack: Option<Toggle>,
}

/// One source of a copy.
#[derive(Debug, Clone)]
pub enum CopySource {
    /// A path, pattern or URL.
    Path(Word),
    /// A file whose content is in the Dockerfile.
    Inline(Heredoc),
}

/// A flag that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Toggle {
    /// Off.
    #[default]
    Off,
    /// On.
    On,
}

impl Toggle {
    /// Whether it is on.
    #[must_use]
    pub fn is_on(self) -> bool {
        self == Toggle::On
    }
}

/// HEALTHCHECK.
#[derive(Debug, Clone)]
pub enum Health {
    /// None, even if the base has one.
    None,
    /// A test. Durations are in nanoseconds, 0 for inherited.
    Test {
        /// What is run.
        command: Command,
        /// Between two tests.
        interval: i64,
        /// Until a test has failed.
        timeout: i64,
        /// How long failures at the start do not count.
        start_period: i64,
        /// Between two tests in that time.
        start_interval: i64,
        /// How many failures in a row mean unhealthy; 0 for inherited.
        retries: i64,
    },
}
