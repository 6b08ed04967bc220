//! What the engine says, as it says it: for tools. What ends the build is told by the exit code and the last line.

use super::Progress;
use crate::error::{Error, Result};
use api::build::{BuildFailure, BuildStatus};
use std::io::Write as _;

#[derive(Debug, Default)]
pub(super) struct Raw {
    warnings: usize,
}

impl Progress for Raw {
    fn show(&mut self, status: &BuildStatus, line: &[u8]) -> Result<()> {
        self.warnings += status.warnings.len();
        // Where BuildKit's clients write it.
        let written = std::io::stderr().lock().write_all(line);
        written.map_err(|why| Error::io("write", "standard error", why))
    }

    fn warnings(&self) -> usize {
        self.warnings
    }

    fn failed(&mut self, _failure: &BuildFailure) -> Result<()> {
        Ok(())
    }
}
