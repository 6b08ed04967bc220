//! What is asked of a build.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::OwnedFd;

use spec::Reference;
use tokio::io::AsyncRead;

use crate::container::HostConfig;

/// What is asked.
#[derive(Debug, Default)]
pub struct BuildRequest {
    /// A name for it, by which it can be cancelled; none if empty.
    pub name: String,
    /// Where the Dockerfile is.
    pub file: File,
    /// Target, arguments, labels, platform, cache.
    pub plan: builder::Request,
    /// The names that the image gets.
    pub tags: Vec<Reference>,
    /// Under which limits, in which network RUN runs: what is not a build's to choose has its default.
    pub run: HostConfig,
    /// Contexts with names of their own.
    pub contexts: BTreeMap<String, NamedContext>,
    /// Values that steps may see and that are never kept.
    pub secrets: BTreeMap<String, Secret>,
    /// The sockets of SSH agents, opened as paths.
    pub agents: BTreeMap<String, OwnedFd>,
    /// What it may do that builds usually may not: `security.insecure`.
    pub allow: Vec<String>,
    /// What comes of it.
    pub purpose: Purpose,
    /// What becomes of a step that fails.
    pub failed: Failed,
}

/// Where the Dockerfile is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// In the context; `Dockerfile` if empty.
    InContext(String),
    /// Here.
    Given {
        /// How it is called in messages.
        name: String,
        /// Its text.
        text: String,
        /// The text of the `.dockerignore` that goes with it.
        ignore: String,
    },
}

impl Default for File {
    fn default() -> Self {
        Self::InContext(String::new())
    }
}

/// The files that COPY takes.
#[derive(Default)]
pub enum Context {
    /// None.
    #[default]
    Nothing,
    /// A tar, compressed or not.
    Stream {
        /// It.
        tar: Box<dyn AsyncRead + Send + Unpin>,
        /// The directory in it that is the context; all of it if empty.
        prefix: String,
    },
    /// A directory, read in place.
    Directory(OwnedFd),
}

impl Context {
    /// A tar.
    pub fn stream(tar: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self::Stream {
            tar: Box::new(tar),
            prefix: String::new(),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Stream { .. } => "Stream",
            Self::Directory(_) => "Directory",
        })
    }
}

/// A value that is shown to nobody but the steps that ask for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes its bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A context with a name of its own.
#[derive(Debug)]
pub enum NamedContext {
    /// A directory, read in place.
    Directory(OwnedFd),
    /// A directory in the stream of the main context.
    Streamed(String),
    /// An image.
    Image(String),
}

/// What comes of a build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// An image.
    #[default]
    Image,
    /// Only what can be said of the file.
    Check,
}

/// What becomes of a step that fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Failed {
    /// Nothing of it stays.
    #[default]
    Dropped,
    /// What it changed becomes an image without a name, for somebody to look into.
    Kept,
}
