//! What happens in a build, as BuildKit's clients know it.

use api::Time;
use api::build::{BuildFailure, BuildResult, BuildStatus, Vertex, VertexLog, VertexWarning};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::build::{BuildEvent, Built, Step, Stream, What};
use jiff::Timestamp;
use spec::{Digest, Reference};

/// What is known so far of the steps.
#[derive(Debug)]
pub(super) struct Encoder {
    tags: Vec<String>,
    steps: Vec<Vertex>,
    failed: BuildFailure,
}

impl Encoder {
    pub(super) fn new(tags: &[Reference]) -> Self {
        Self {
            tags: tags.iter().map(Reference::familiar).collect(),
            steps: Vec::new(),
            failed: BuildFailure::default(),
        }
    }

    /// Its line.
    pub(super) fn event(&mut self, event: BuildEvent) -> String {
        let time = event.time;
        let status = match event.what {
            What::Planned(steps) => self.plan(&steps),
            What::Started(step) => self.change(step, |vertex| vertex.started = Some(time.into())),
            What::Cached(step) => self.change(step, |vertex| vertex.cached = true),
            What::Done { step, .. } => {
                self.change(step, |vertex| vertex.completed = Some(time.into()))
            }
            What::Output {
                step,
                stream,
                bytes,
            } => self.log(step, stream, &bytes, time),
            What::Failed {
                step,
                code,
                message,
                image,
            } => {
                // Those that were stopped because of the first tell nothing.
                if self.failed.vertex.is_empty() {
                    self.failed = BuildFailure {
                        code: code.unwrap_or_default(),
                        vertex: self.digest(step),
                        image: image.map(|id| id.to_string()).unwrap_or_default(),
                        ..BuildFailure::default()
                    };
                }
                self.change(step, |vertex| {
                    vertex.completed = Some(time.into());
                    vertex.error = message;
                })
            }
            What::Warning(warning) => BuildStatus {
                warnings: vec![VertexWarning {
                    vertex: String::new(),
                    level: 1,
                    short: STANDARD.encode(&warning.message),
                    detail: vec![STANDARD.encode(&warning.detail)],
                    rule: warning.rule,
                }],
                ..BuildStatus::default()
            },
        };
        line(&status)
    }

    /// The last line.
    pub(super) fn end(&mut self, ended: Option<engine::Result<Built>>) -> String {
        let mut status = BuildStatus::default();
        match ended {
            Some(Ok(built)) => {
                status.result = Some(BuildResult {
                    id: built.image.map(|id| id.to_string()).unwrap_or_default(),
                    tags: self.tags.clone(),
                    build: String::new(),
                });
            }
            Some(Err(error)) => {
                status.failure = Some(BuildFailure {
                    message: error.chain(),
                    hint: error.hint.unwrap_or_default(),
                    ..self.failed.clone()
                });
            }
            None => {
                status.failure = Some(BuildFailure {
                    message: "the engine is ending".to_owned(),
                    ..BuildFailure::default()
                });
            }
        }
        line(&status)
    }

    fn plan(&mut self, steps: &[Step]) -> BuildStatus {
        let digest = |number: usize, step: &Step| Digest::of(format!("{number} {}", step.name));
        let digests: Vec<String> = steps
            .iter()
            .enumerate()
            .map(|(number, step)| digest(number, step).to_string())
            .collect();
        for (step, own) in steps.iter().zip(&digests) {
            let inputs = step.inputs.iter().filter_map(|input| digests.get(*input));
            self.steps.push(Vertex {
                digest: own.clone(),
                inputs: inputs.cloned().collect(),
                name: step.name.clone(),
                ..Vertex::default()
            });
        }
        BuildStatus {
            vertexes: self.steps.clone(),
            ..BuildStatus::default()
        }
    }

    fn change(&mut self, step: usize, change: impl FnOnce(&mut Vertex)) -> BuildStatus {
        let Some(vertex) = self.steps.get_mut(step) else {
            return BuildStatus::default();
        };
        change(vertex);
        BuildStatus {
            vertexes: vec![vertex.clone()],
            ..BuildStatus::default()
        }
    }

    fn digest(&self, step: usize) -> String {
        self.steps
            .get(step)
            .map(|vertex| vertex.digest.clone())
            .unwrap_or_default()
    }

    fn log(&self, step: usize, stream: Stream, bytes: &[u8], time: Timestamp) -> BuildStatus {
        BuildStatus {
            logs: vec![VertexLog {
                vertex: self.digest(step),
                stream: match stream {
                    Stream::Out => 1,
                    Stream::Err => 2,
                },
                data: STANDARD.encode(bytes),
                timestamp: Some(Time::from(time)),
            }],
            ..BuildStatus::default()
        }
    }
}

fn line(status: &BuildStatus) -> String {
    // Strings, numbers and lists of them always serialize.
    let mut line = serde_json::to_string(status).unwrap_or_default();
    line.push('\n');
    line
}
