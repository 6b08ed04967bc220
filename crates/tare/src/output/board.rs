//! What a pull, a push or a load says while it goes on: a line for each layer that is drawn again on a terminal, plain lines elsewhere.

use super::{escape, human};
use crate::error::{Error, Result};
use api::progress::Message;
use std::io::{IsTerminal as _, Write};
use std::time::Instant;

/// Where it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// It is what the user asked for.
    Data,
    /// It is beside what the user asked for.
    Talk,
    /// Not at all.
    Nothing,
}

/// The width of a bar.
const BAR: usize = 50;
/// A bar with its numbers and its rate is not wider.
const WIDTH: usize = 80;

/// The lines on the screen.
#[derive(Debug)]
pub(crate) struct Board {
    show: Show,
    terminal: bool,
    columns: usize,
    lines: Vec<Line>,
}

/// What is known of one layer.
#[derive(Debug)]
struct Line {
    id: String,
    status: String,
    began: Instant,
    first: i64,
}

impl Board {
    pub(crate) fn new(show: Show) -> Self {
        let terminal = match show {
            Show::Data => std::io::stdout().is_terminal(),
            Show::Talk => std::io::stderr().is_terminal(),
            Show::Nothing => false,
        };
        Self {
            show,
            terminal,
            columns: crate::terminal::size().map_or(WIDTH, |(_, columns)| usize::from(columns)),
            lines: Vec::new(),
        }
    }

    /// Shows one message.
    pub(crate) fn show(&mut self, message: &Message) -> Result<()> {
        let text = if self.terminal {
            self.drawn(message)
        } else {
            plain(message)
        };
        if text.is_empty() {
            return Ok(());
        }
        let bytes = text.as_bytes();
        match self.show {
            Show::Data => {
                let mut out = std::io::stdout().lock();
                let written = out.write_all(bytes).and_then(|()| out.flush());
                written.map_err(Error::stdout)
            }
            Show::Talk => {
                // Nobody to hear it is no failure.
                drop(std::io::stderr().lock().write_all(bytes));
                Ok(())
            }
            Show::Nothing => Ok(()),
        }
    }

    /// A line of its own, or one further up drawn again.
    fn drawn(&mut self, message: &Message) -> String {
        let about_layer = message.progress_detail.is_some() && !message.id.is_empty();
        if !about_layer {
            // What comes next is no longer about the lines above.
            if message.id.is_empty() {
                self.lines.clear();
            }
            return plain(message);
        }
        let known = self.lines.iter().position(|line| line.id == message.id);
        let at = known.unwrap_or(self.lines.len());
        let current = message.progress_detail.as_ref().map_or(0, |d| d.current);
        if known.is_none() {
            self.lines.push(Line {
                id: message.id.clone(),
                status: String::new(),
                began: Instant::now(),
                first: current,
            });
        }
        let line = &mut self.lines[at];
        if line.status != message.status {
            line.status.clone_from(&message.status);
            (line.began, line.first) = (Instant::now(), current);
        }
        let text = line.text(message, self.columns);
        if known.is_none() {
            return format!("{text}\n");
        }
        let up = self.lines.len() - at;
        format!("\x1b[{up}A\x1b[2K\r{text}\x1b[{up}B\r")
    }
}

impl Line {
    fn text(&self, message: &Message, columns: usize) -> String {
        let mut text = format!("{}: {}", message.id, message.status);
        if let Some(detail) = message.progress_detail.as_ref().filter(|d| d.total > 0) {
            let seconds = self.began.elapsed().as_secs_f64();
            let bar = (columns >= WIDTH + BAR / 2).then(|| bar(detail.current, detail.total));
            let amount = format!(
                "{}/{}",
                human::size(detail.current),
                human::size(detail.total)
            );
            let rate = rate(detail.current - self.first, seconds);
            let parts = [bar, Some(amount), rate];
            for part in parts.into_iter().flatten() {
                text.push_str("  ");
                text.push_str(&part);
            }
        }
        let safe = escape::cell(&text).into_owned();
        // A longer one would take two lines, and drawing it again would miss one of them.
        safe.chars().take(columns.max(20) - 1).collect()
    }
}

/// A message as a line.
fn plain(message: &Message) -> String {
    if !message.stream.is_empty() {
        return escape::controls(&message.stream).into_owned();
    }
    let has_amount = message
        .progress_detail
        .as_ref()
        .is_some_and(|d| d.total > 0 || d.current > 0);
    if message.status.is_empty() || has_amount {
        return String::new();
    }
    let text = match message.id.as_str() {
        "" => message.status.clone(),
        id => format!("{id}: {}", message.status),
    };
    format!("{}\n", escape::cell(&text))
}

fn bar(current: i64, total: i64) -> String {
    let part = i128::from(current.clamp(0, total)) * BAR as i128 / i128::from(total.max(1));
    let done = usize::try_from(part).unwrap_or(BAR);
    format!("[{}>{}]", "=".repeat(done), " ".repeat(BAR - done))
}

/// Bytes a second; none where that would be a guess.
fn rate(bytes: i64, seconds: f64) -> Option<String> {
    if bytes <= 0 || seconds < 0.2 {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "three digits are shown"
    )]
    let rate = (bytes as f64 / seconds) as i64;
    Some(format!("{}/s", human::size(rate)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::progress::ProgressDetail;

    fn layer(id: &str, status: &str, current: i64, total: i64) -> Message {
        Message {
            id: id.to_owned(),
            progress_detail: Some(ProgressDetail {
                current,
                total,
                ..ProgressDetail::default()
            }),
            ..Message::status(status)
        }
    }

    fn board(columns: usize) -> Board {
        Board {
            show: Show::Data,
            terminal: true,
            columns,
            lines: Vec::new(),
        }
    }

    #[test]
    fn each_layer_keeps_its_line() {
        let mut board = board(200);
        assert_eq!(board.drawn(&layer("a", "Waiting", 0, 0)), "a: Waiting\n");
        assert_eq!(board.drawn(&layer("b", "Waiting", 0, 0)), "b: Waiting\n");
        assert_eq!(
            board.drawn(&layer("a", "Downloading", 500, 1000)),
            format!(
                "\x1b[2A\x1b[2K\ra: Downloading  [{}>{}]  500B/1kB\x1b[2B\r",
                "=".repeat(25),
                " ".repeat(25)
            )
        );
        assert_eq!(board.drawn(&Message::status("Digest: x")), "Digest: x\n");
        assert_eq!(board.drawn(&layer("a", "Waiting", 0, 0)), "a: Waiting\n");
    }

    #[test]
    fn a_line_stays_one() {
        let mut board = board(30);
        let text = board.drawn(&layer(
            "a",
            "Downloading\x1b[2J a very long story\n of two lines",
            1,
            2,
        ));
        assert_eq!(text.matches('\n').count(), 1);
        assert!(text.chars().count() <= 30, "{text}");
        assert!(!text.contains('\x1b'), "{text:?}");
    }

    #[test]
    fn plain_lines_say_what_changes() {
        assert_eq!(
            plain(&layer("a", "Pull complete", 0, 0)),
            "a: Pull complete\n"
        );
        assert_eq!(plain(&layer("a", "Downloading", 5, 10)), "");
        assert_eq!(plain(&Message::stream("text\n")), "text\n");
        assert_eq!(rate(10_000_000, 2.0).as_deref(), Some("5MB/s"));
        assert_eq!(rate(10, 0.1), None);
    }
}
