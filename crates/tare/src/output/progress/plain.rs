//! One line for each thing that happens.

use super::Progress;
use super::step::{News, Steps, epilogue, first_line};
use crate::error::Result;
use crate::output::say;
use api::build::{BuildFailure, BuildStatus};
use jiff::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Plain {
    steps: Steps,
    quiet: bool,
}

impl Plain {
    /// Only what went wrong.
    pub(super) fn quiet() -> Self {
        Self {
            quiet: true,
            ..Self::default()
        }
    }

    fn step(&self, at: usize) {
        let step = &self.steps.all[at];
        let vertex = &step.vertex;
        let number = at + 1;
        if !step.is_done() {
            if vertex.cached {
                say(&format!("#{number} CACHED\n"));
            } else {
                say(&format!("#{number} {}", first_line(&vertex.name)));
            }
        } else if !vertex.error.is_empty() {
            say(&format!("#{number} ERROR: {}\n", vertex.error));
        } else if !vertex.cached {
            let took = step.took(Timestamp::UNIX_EPOCH).unwrap_or_default();
            say(&format!("#{number} DONE {took:.1}s\n"));
        }
    }
}

impl Progress for Plain {
    fn show(&mut self, status: &BuildStatus, _line: &[u8]) -> Result<()> {
        for news in self.steps.take(status) {
            match news {
                _ if self.quiet => {}
                News::Step(at) => self.step(at),
                News::Line(at, seconds, line) => say(&format!("#{} {seconds:.3} {line}", at + 1)),
                News::Warning(text) => say(text.trim_end()),
            }
        }
        Ok(())
    }

    fn warnings(&self) -> usize {
        self.steps.warnings.len()
    }

    fn failed(&mut self, failure: &BuildFailure) -> Result<()> {
        say(epilogue(&self.steps, failure).trim_end());
        Ok(())
    }
}
