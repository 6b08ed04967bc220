//! What is known of the steps of a build.

use api::build::{BuildStatus, Vertex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use std::collections::VecDeque;

/// Lines of a step that are kept to be shown when it fails.
const KEPT: usize = 40;

/// A step.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) vertex: Vertex,
    /// The last lines that it wrote, with the seconds since it began.
    pub(super) lines: VecDeque<(f64, String)>,
    /// The line that it writes.
    partial: String,
}

/// All steps, in the order in which they are planned.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) all: Vec<Step>,
    pub(super) warnings: Vec<String>,
}

/// What a status brought.
#[derive(Debug, PartialEq)]
pub(super) enum News {
    /// A step began, ended or failed.
    Step(usize),
    /// A step wrote a line.
    Line(usize, f64, String),
    /// Something is probably not meant.
    Warning(String),
}

impl Steps {
    pub(super) fn take(&mut self, status: &BuildStatus) -> Vec<News> {
        let mut news = Vec::new();
        for vertex in &status.vertexes {
            match self.find(&vertex.digest) {
                Some(at) => {
                    self.flush(at, &mut news);
                    self.all[at].vertex = vertex.clone();
                    news.push(News::Step(at));
                }
                None => self.all.push(Step {
                    vertex: vertex.clone(),
                    ..Step::default()
                }),
            }
        }
        for log in &status.logs {
            let Some(at) = self.find(&log.vertex) else {
                continue;
            };
            let bytes = STANDARD.decode(&log.data).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let seconds = self.all[at].since(log.timestamp.and_then(|time| time.0));
            for piece in text.split_inclusive('\n') {
                self.all[at].partial.push_str(piece);
                if piece.ends_with('\n') {
                    self.line(at, seconds, &mut news);
                }
            }
        }
        for warning in &status.warnings {
            let text = |coded: &String| {
                String::from_utf8_lossy(&STANDARD.decode(coded).unwrap_or_default()).into_owned()
            };
            let detail: String = warning.detail.iter().map(text).collect();
            let shown = if detail.is_empty() {
                text(&warning.short)
            } else {
                detail
            };
            self.warnings.push(shown.clone());
            news.push(News::Warning(shown));
        }
        news
    }

    fn find(&self, digest: &str) -> Option<usize> {
        self.all
            .iter()
            .position(|step| step.vertex.digest == digest)
    }

    /// A line without its end is one when the step says nothing more.
    fn flush(&mut self, at: usize, news: &mut Vec<News>) {
        if !self.all[at].partial.is_empty() {
            let seconds = self.all[at].lines.back().map_or(0.0, |(at, _)| *at);
            self.line(at, seconds, news);
        }
    }

    fn line(&mut self, at: usize, seconds: f64, news: &mut Vec<News>) {
        let step = &mut self.all[at];
        let line = std::mem::take(&mut step.partial);
        let line = line.trim_end_matches(['\n', '\r']);
        // Of what a program drew over, the last is what it wanted to be seen.
        let line = line.rsplit('\r').next().unwrap_or(line).to_owned();
        if step.lines.len() == KEPT {
            step.lines.pop_front();
        }
        step.lines.push_back((seconds, line.clone()));
        news.push(News::Line(at, seconds, line));
    }
}

impl Step {
    /// How long it took so far, in seconds; none if it has not begun.
    pub(super) fn took(&self, now: Timestamp) -> Option<f64> {
        let started = self.vertex.started.and_then(|time| time.0)?;
        let ended = self.vertex.completed.and_then(|time| time.0);
        Some(seconds(started, ended.unwrap_or(now)))
    }

    fn since(&self, time: Option<Timestamp>) -> f64 {
        match (self.vertex.started.and_then(|time| time.0), time) {
            (Some(started), Some(time)) => seconds(started, time),
            _ => 0.0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.vertex.completed.is_some()
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// The step that failed, with what it wrote last, and the place in the file.
pub(super) fn epilogue(steps: &Steps, failure: &api::build::BuildFailure) -> String {
    let mut out = String::new();
    let failed = steps
        .all
        .iter()
        .find(|step| step.vertex.digest == failure.vertex);
    if let Some(step) = failed
        && !step.lines.is_empty()
    {
        out.push_str(&format!("------\n > {}:\n", first_line(&step.vertex.name)));
        for (seconds, line) in &step.lines {
            out.push_str(&format!("{seconds:.3} {line}\n"));
        }
        out.push_str("------\n");
    }
    out.push_str(&failure.hint);
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// A name of several lines is shown by its first.
pub(super) fn first_line(name: &str) -> String {
    match name.split_once('\n') {
        Some((first, _)) => format!("{first} …"),
        None => name.to_owned(),
    }
}
