//! What a layer may ask of those below it.

use super::tree::{Meta, Xattrs};
use crate::error::{Error, Result, shown};

/// The layers below: one merged view of them.
pub(crate) trait Lower<D> {
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        false
    }

    /// What is at `path`, which has no slash at either end; nothing if any component but the last is not a directory.
    fn lookup(&mut self, path: &[u8]) -> Result<Option<Found>>;
    /// The names in the root directory.
    fn names(&mut self) -> Result<Vec<Vec<u8>>>;
    /// Copies the data of the regular file at `path` into the new layer.
    fn copy(&mut self, path: &[u8], xattrs: &Xattrs) -> Result<D>;
}

/// Something in the layers below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) meta: Meta,
    pub(crate) xattrs: Xattrs,
    pub(crate) kind: FoundKind,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FoundKind {
    Directory,
    File,
    Symlink(Vec<u8>),
    Character(u32, u32),
    Block(u32, u32),
    Fifo,
}

/// No layers below.
pub(crate) struct Nothing;

impl<D> Lower<D> for Nothing {
    fn is_empty(&self) -> bool {
        true
    }

    fn lookup(&mut self, _path: &[u8]) -> Result<Option<Found>> {
        Ok(None)
    }

    fn names(&mut self) -> Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }

    fn copy(&mut self, path: &[u8], _xattrs: &Xattrs) -> Result<D> {
        Err(Error::invalid(
            "unpack layer",
            shown(path),
            "there are no layers below",
        ))
    }
}
