//! A picture of all steps that is drawn again and again: those that are done, those that run with what they write, and how long.

use super::Progress;
use super::step::{Step, Steps, epilogue, first_line};
use crate::error::Result;
use crate::output::escape;
use crate::terminal;
use api::build::{BuildFailure, BuildStatus};
use jiff::Timestamp;
use std::io::Write as _;

/// Lines of a running step's output that are shown.
const OUTPUT: usize = 6;

#[derive(Debug, Default)]
pub(super) struct Tty {
    steps: Steps,
    /// How many lines of the last picture stand on the screen.
    drawn: usize,
    began: Option<Timestamp>,
    ended: Option<Ended>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Well,
    Badly,
}

impl Tty {
    fn draw(&mut self) {
        let (rows, columns) = terminal::talk_size().unwrap_or((24, 80));
        let now = Timestamp::now();
        let began = *self.began.get_or_insert(now);
        let lines = self.picture(now, began, usize::from(rows), usize::from(columns));
        let mut out = String::from("\x1b[?25l");
        if self.drawn > 0 {
            out.push_str(&format!("\x1b[{}A", self.drawn));
        }
        for line in &lines {
            out.push_str(line);
            out.push_str("\x1b[K\n");
        }
        out.push_str("\x1b[J\x1b[?25h");
        self.drawn = lines.len();
        // Nobody to see it is no failure.
        drop(std::io::stderr().lock().write_all(out.as_bytes()));
    }

    /// At most as many lines as the screen has: of the steps that are done the oldest leave first.
    fn picture(
        &self,
        now: Timestamp,
        began: Timestamp,
        rows: usize,
        columns: usize,
    ) -> Vec<String> {
        let done = self.steps.all.iter().filter(|step| step.is_done()).count();
        let total = self.steps.all.len();
        let took = now.duration_since(began).as_secs_f64();
        let state = match self.ended {
            Some(Ended::Well) => " FINISHED",
            Some(Ended::Badly) => " FAILED",
            None => "",
        };
        let head = format!("[+] Building {took:.1}s ({done}/{total}){state}");
        let mut body = Vec::new();
        for step in &self.steps.all {
            let Some(took) = step.took(now) else { continue };
            body.push(row(step, took, columns));
            if step.is_done() && step.vertex.error.is_empty() {
                continue;
            }
            let skip = step.lines.len().saturating_sub(OUTPUT);
            for (_, line) in step.lines.iter().skip(skip) {
                body.push(cut(&format!(" => => {}", clean(line)), columns));
            }
        }
        let room = rows.saturating_sub(2).max(1);
        let skip = if self.ended.is_some() {
            0
        } else {
            body.len().saturating_sub(room)
        };
        std::iter::once(cut(&head, columns))
            .chain(body.into_iter().skip(skip))
            .collect()
    }
}

/// ` => CACHED [2/3] COPY . .                0.1s`.
fn row(step: &Step, took: f64, columns: usize) -> String {
    let mark = match () {
        () if !step.vertex.error.is_empty() => "ERROR ",
        () if step.vertex.cached => "CACHED ",
        () => "",
    };
    let time = format!("{took:.1}s");
    let name = format!(" => {mark}{}", clean(&first_line(&step.vertex.name)));
    let width = columns.saturating_sub(time.len() + 1);
    let name = cut(&name, width);
    let pad = width.saturating_sub(name.chars().count());
    format!("{name}{} {time}", " ".repeat(pad))
}

/// Colours and moves of programs would break the picture.
fn clean(text: &str) -> String {
    escape::controls(&without_sequences(text)).replace('\t', "    ")
}

fn without_sequences(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\x1b' {
            out.push(c);
            continue;
        }
        if chars.next() == Some('[') {
            // Until the letter that ends it.
            for c in chars.by_ref() {
                if ('\x40'..='\x7e').contains(&c) {
                    break;
                }
            }
        }
    }
    out
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
    out.push('…');
    out
}

impl Progress for Tty {
    fn show(&mut self, status: &BuildStatus, _line: &[u8]) -> Result<()> {
        self.began.get_or_insert_with(Timestamp::now);
        self.steps.take(status);
        if status.result.is_some() {
            self.ended = Some(Ended::Well);
            self.draw();
            for warning in std::mem::take(&mut self.steps.warnings) {
                crate::output::say(warning.trim_end());
                self.steps.warnings.push(warning);
            }
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<()> {
        if !self.steps.all.is_empty() {
            self.draw();
        }
        Ok(())
    }

    fn is_live(&self) -> bool {
        true
    }

    fn warnings(&self) -> usize {
        self.steps.warnings.len()
    }

    fn failed(&mut self, failure: &BuildFailure) -> Result<()> {
        self.ended = Some(Ended::Badly);
        if !self.steps.all.is_empty() {
            self.draw();
        }
        crate::output::say(epilogue(&self.steps, failure).trim_end());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{cut, without_sequences};

    #[test]
    fn what_would_break_the_picture_leaves() {
        assert_eq!(without_sequences("\x1b[31mred\x1b[0m plain"), "red plain");
        assert_eq!(without_sequences("open\x1b["), "open");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
