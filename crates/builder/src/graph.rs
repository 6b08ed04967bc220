//! What a build is: vertices with what they need, and what comes out of a stage.

use std::collections::BTreeSet;

use dockerfile::{Mount, Span};
use serde::Serialize;
use spec::Platform;
use spec::image::{Config, History};

/// The place of a vertex in its graph. What a vertex needs has smaller numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct VertexId(pub usize);

/// A build.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The steps, each after what it needs. Only what the target needs is here.
    pub vertices: Vec<Vertex>,
    /// What the target is.
    pub target: Outcome,
    /// Build arguments that no ARG asked for.
    pub unused_args: BTreeSet<String>,
}

/// What a stage comes to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Whose file system it has.
    pub root: VertexId,
    /// Its configuration.
    pub config: Config,
    /// The author, from MAINTAINER.
    pub author: Option<String>,
    /// Its steps, the base image's before them.
    pub history: Vec<History>,
    /// Its platform.
    pub platform: Platform,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Vertex {
    /// What it does.
    pub op: Op,
    /// The vertices that it needs: first whose file system it starts from, if it has one.
    pub inputs: Vec<VertexId>,
    /// How progress calls it: `[build 2/5] RUN make`.
    pub name: String,
    /// The instruction in the file.
    pub span: Span,
    /// The stage's number.
    pub stage: usize,
    /// A result from before may be used.
    pub cached: Reuse,
}

/// Whether a result from before may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// It may.
    Allowed,
    /// It may not.
    Forbidden,
}

/// What a step does.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Op {
    /// An empty file system.
    Scratch,
    /// An image's file system.
    Image(Image),
    /// A named context.
    Context {
        /// Its name.
        name: String,
    },
    /// A command, run in the first input's file system.
    Run(Box<Run>),
    /// Files, put on the first input's file system.
    Copy(Box<Copy>),
    /// WORKDIR's directory, made if it is not there.
    Directory {
        /// The path.
        path: String,
    },
}

/// A base image.
#[derive(Debug, Clone, Serialize)]
pub struct Image {
    /// As written, expanded.
    pub reference: String,
    /// For which platform.
    pub platform: Platform,
    /// What to say if there is no such image: a stage with nearly this name.
    #[serde(skip)]
    pub hint: Option<String>,
}

/// RUN.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// The environment, arguments that were declared included.
    pub env: Vec<String>,
    /// Proxies: given to the command, no part of the key and of the history.
    #[serde(skip)]
    pub proxies: Vec<String>,
    /// The working directory.
    pub cwd: String,
    /// Who runs it.
    pub user: String,
    /// `default`, `none` or `host`.
    pub network: String,
    /// `sandbox` or `insecure`.
    pub security: String,
    /// What it sees besides the file system.
    pub mounts: Vec<RunMount>,
    /// A here-document that is a script of its own: put in a file, which is run.
    pub script: Option<Script>,
}

/// A script.
#[derive(Debug, Clone, Serialize)]
pub struct Script {
    /// The file's name below `/dev/pipes`.
    pub name: String,
    /// Its content.
    pub content: String,
}

/// `--mount`.
#[derive(Debug, Clone, Serialize)]
pub struct RunMount {
    /// As written, expanded: part of the key. A secret's value is never here.
    pub text: String,
    /// What it says.
    #[serde(skip)]
    pub mount: Mount,
    /// Which of the inputs it shows.
    pub input: Option<usize>,
}

/// COPY and ADD.
#[derive(Debug, Clone, Serialize)]
pub struct Copy {
    /// Where the paths are.
    pub origin: Origin,
    /// What is copied.
    pub items: Vec<Item>,
    /// Where to: absolute; a slash at the end means a directory.
    pub target: String,
    /// `user[:group]`.
    pub chown: Option<String>,
    /// Octal or symbolic.
    pub chmod: Option<String>,
    /// What the copy makes does not depend on what is below it.
    pub link: bool,
    /// Parents of the sources are made too.
    pub parents: bool,
    /// Patterns of what is left out.
    pub excludes: Vec<String>,
    /// Archives are unpacked.
    pub unpack: Unpack,
    /// What a remote source must be.
    pub checksum: Option<String>,
    /// `.git` stays.
    pub keep_git_dir: bool,
}

/// Where a copy's paths are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Origin {
    /// In the build context.
    Context,
    /// In the second input's file system.
    Input,
}

/// Whether archives are unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unpack {
    /// No: COPY.
    Never,
    /// Those of the context: ADD.
    Local,
    /// All: `ADD --unpack`.
    All,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Item {
    /// A path or pattern, relative, inside.
    Path(String),
    /// A file whose content is in the Dockerfile.
    Inline {
        /// Its name.
        name: String,
        /// Its content.
        content: String,
    },
    /// An address.
    Url(String),
    /// A git repository: address, `#ref:directory`.
    Git(String),
}
