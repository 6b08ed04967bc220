//! One stage, instruction by instruction.

use dockerfile::instruction::{Instruction, Kind};
use dockerfile::{Span, document};
use spec::Platform;
use spec::image::{Config, History};

use super::{Planned, Planner, configure};
use crate::error::{Error, Result};
use crate::graph::{Op, Outcome, VertexId};
use crate::paths;
use crate::variables::Scope;

/// What PATH is when no one says.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A stage while it is planned.
pub(super) struct Building {
    pub(super) index: usize,
    pub(super) root: VertexId,
    pub(super) config: Config,
    pub(super) author: Option<String>,
    pub(super) history: Vec<History>,
    pub(super) platform: Platform,
    pub(super) scope: Scope,
    /// CMD was set in this stage: ENTRYPOINT does not reset it then.
    pub(super) own_cmd: bool,
    /// `build 2/5`.
    label: String,
    total: usize,
    step: usize,
}

impl Building {
    /// Adds a step to the history.
    pub(super) fn remember(&mut self, created_by: String, empty_layer: bool) {
        self.history.push(History {
            created_by: Some(created_by),
            empty_layer,
            ..History::default()
        });
    }

    /// How progress calls the instruction.
    pub(super) fn title(&self, text: &str) -> String {
        format!("[{}{}/{}] {text}", self.label, self.step, self.total)
    }
}

impl Planner<'_> {
    /// Plans a stage, or gives what was planned before.
    pub(super) fn stage(&mut self, index: usize) -> Result<Planned> {
        if let Some(planned) = self.stages.get(&index) {
            return Ok(planned.clone());
        }
        let file = self.file;
        let stage = &file.stages[index];
        let mut building = self.start(index)?;
        let triggers = building.config.on_build.take().unwrap_or_default();
        for text in triggers {
            let (instruction, found) = document::trigger(&text);
            if let Some(error) = found.into_iter().find(dockerfile::Diagnostic::is_error) {
                return Err(Error::new(
                    stage.span,
                    format!(
                        "the base image's trigger `ONBUILD {text}`: {}",
                        error.message
                    ),
                )
                .help("the base image is at fault; build from another"));
            }
            if let Some(mut instruction) = instruction {
                relocate(&mut instruction, stage.span);
                self.instruction(&mut building, &instruction)?;
            }
        }
        for instruction in &stage.instructions {
            building.step += 1;
            self.instruction(&mut building, instruction)?;
        }
        let planned = Planned {
            outcome: Outcome {
                root: building.root,
                config: building.config,
                author: building.author,
                history: building.history,
                platform: building.platform,
            },
            scope: building.scope,
        };
        self.stages.insert(index, planned.clone());
        Ok(planned)
    }

    fn start(&mut self, index: usize) -> Result<Building> {
        let file = self.file;
        let stage = &file.stages[index];
        let base = self.globals.base_word(&stage.from.base)?;
        if base.trim().is_empty() {
            return Err(Error::new(
                stage.from.base.span,
                format!("base name ({}) should not be blank", stage.from.base.text),
            )
            .help("give the argument a value: --build-arg NAME=value, or a default in ARG"));
        }
        let platform = match &stage.from.platform {
            Some(word) => {
                let text = self.globals.base_word(word)?;
                text.parse::<Platform>().map_err(|e| {
                    Error::new(word.span, format!("failed to parse platform {text}: {e}"))
                        .help("write linux/amd64")
                })?
            }
            None => self.request.platform.clone(),
        };
        let label = match (stage.name(), file.stages.len()) {
            (Some(name), _) => format!("{name} "),
            (None, 1) => String::new(),
            (None, _) => format!("stage-{index} "),
        };
        let mut building = Building {
            index,
            root: VertexId(0),
            config: Config::default(),
            author: None,
            history: Vec::new(),
            platform,
            scope: Scope::default(),
            own_cmd: false,
            label,
            total: stage.instructions.len() + 1,
            step: 1,
        };
        self.base(&mut building, &base, stage.span)?;
        if !building.config.env.iter().any(|e| e.starts_with("PATH=")) {
            building.config.env.push(PATH.to_owned());
        }
        Ok(building)
    }

    fn base(&mut self, building: &mut Building, base: &str, span: Span) -> Result<()> {
        let index = building.index;
        if self.request.contexts.contains(base) {
            building.root = self.context(base, span, index);
        } else if let Some(parent) = self.file.stage(base, index) {
            let planned = self.stage(parent)?;
            building.root = planned.outcome.root;
            building.config = planned.outcome.config;
            building.author = planned.outcome.author;
            building.history = planned.outcome.history;
            building.scope = planned.scope;
            if self.file.stages[index].from.platform.is_none() {
                building.platform = planned.outcome.platform;
            }
        } else if base == "scratch" {
            building.root = self.add(
                Op::Scratch,
                Vec::new(),
                "FROM scratch".to_owned(),
                span,
                index,
            );
        } else {
            let platform = building.platform.clone();
            building.root = self.image(base, platform, span, index);
            if let Some(image) = self.bases.get(base) {
                building.config = image.config.clone();
                building.author.clone_from(&image.author);
                building.history.clone_from(&image.history);
            }
        }
        Ok(())
    }

    fn instruction(&mut self, building: &mut Building, instruction: &Instruction) -> Result<()> {
        match &instruction.kind {
            Kind::Run(run) => self.run(building, instruction, run),
            Kind::Copy(copy) => self.copy(building, instruction, copy, false),
            Kind::Add(copy) => self.copy(building, instruction, copy, true),
            Kind::Workdir(word) => {
                let path = building
                    .scope
                    .word(word, &building.config.env, &self.globals)?;
                let path = paths::absolute(&building.config.working_dir, &path);
                let path = if path == "/" {
                    path
                } else {
                    path.trim_end_matches('/').to_owned()
                };
                building.config.working_dir.clone_from(&path);
                building.remember(format!("WORKDIR {path}"), path == "/");
                if path != "/" {
                    let name = building.title(&instruction.original);
                    building.root = self.add(
                        Op::Directory { path },
                        vec![building.root],
                        name,
                        instruction.span,
                        building.index,
                    );
                }
                Ok(())
            }
            other => configure::apply(building, other, instruction, &self.globals),
        }
    }
}

/// A trigger has no place in this file but the FROM that brought it.
fn relocate(instruction: &mut Instruction, span: Span) {
    instruction.span = span;
    instruction.line = span;
}
