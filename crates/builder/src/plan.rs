//! How a file becomes a graph: the target's stage, and before it each stage that it needs.

mod configure;
mod copy;
mod run;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use dockerfile::{Dockerfile, Span, suggest};
use spec::Platform;
use spec::image::ImageConfig;

use crate::error::{Error, Result};
use crate::graph::{Graph, Image, Op, Outcome, Reuse, Vertex, VertexId};
use crate::request::{CacheUse, Request};
use crate::variables::{Globals, Scope};

/// What base images say, by the reference as FROM has it when expanded.
pub type Bases = BTreeMap<String, ImageConfig>;

/// The references whose configuration the plan needs.
///
/// # Errors
/// A word of FROM can't be expanded, or there is no such target.
pub fn bases(file: &Dockerfile, request: &Request) -> Result<Vec<String>> {
    let globals = Globals::new(file, request)?;
    let mut out = Vec::new();
    for (index, stage) in file.stages.iter().enumerate() {
        let name = globals.base_word(&stage.from.base)?;
        if name != "scratch"
            && file.stage(&name, index).is_none()
            && !request.contexts.contains(&name)
            && !out.contains(&name)
        {
            out.push(name);
        }
    }
    Ok(out)
}

/// Plans a build.
///
/// # Errors
/// A mistake that only values show, with its place in the file.
pub fn plan(file: &Dockerfile, request: &Request, bases: &Bases) -> Result<Graph> {
    let target = target(file, request)?;
    let mut planner = Planner {
        file,
        request,
        bases,
        globals: Globals::new(file, request)?,
        vertices: Vec::new(),
        stages: BTreeMap::new(),
    };
    let mut outcome = planner.stage(target)?.outcome;
    outcome.config.labels.extend(request.labels.clone());
    Ok(Graph {
        unused_args: planner.globals.unused(),
        vertices: planner.vertices,
        target: outcome,
    })
}

fn target(file: &Dockerfile, request: &Request) -> Result<usize> {
    let Some(name) = &request.target else {
        return file
            .stages
            .len()
            .checked_sub(1)
            .ok_or_else(|| Error::new(Span::default(), "no build stage in current context"));
    };
    file.stage(name, file.stages.len()).ok_or_else(|| {
        let names: Vec<String> = file
            .stages
            .iter()
            .filter_map(dockerfile::Stage::name)
            .collect();
        let error = Error::new(
            file.stages.first().map_or_else(Span::default, |s| s.span),
            format!("target stage {name:?} could not be found"),
        );
        match suggest::nearest(name, names.iter().map(String::as_str)) {
            Some(meant) => error.help(format!("did you mean {meant}?")),
            None => error.help(format!("stages are {}", names.join(", "))),
        }
    })
}

struct Planner<'a> {
    file: &'a Dockerfile,
    request: &'a Request,
    bases: &'a Bases,
    globals: Globals<'a>,
    vertices: Vec<Vertex>,
    stages: BTreeMap<usize, Planned>,
}

/// A stage that has been planned.
#[derive(Debug, Clone)]
struct Planned {
    outcome: Outcome,
    /// What stages built from it inherit.
    scope: Scope,
}

impl Planner<'_> {
    fn add(
        &mut self,
        op: Op,
        inputs: Vec<VertexId>,
        name: String,
        span: Span,
        stage: usize,
    ) -> VertexId {
        let cached = if self.reuse(stage) {
            Reuse::Allowed
        } else {
            Reuse::Forbidden
        };
        self.vertices.push(Vertex {
            op,
            inputs,
            name,
            span,
            stage,
            cached,
        });
        VertexId(self.vertices.len() - 1)
    }

    fn reuse(&self, stage: usize) -> bool {
        match &self.request.cache {
            CacheUse::All => true,
            CacheUse::None => false,
            CacheUse::Except(names) => {
                let named = self.file.stages[stage].name().unwrap_or_default();
                !names.contains(&named) && !names.contains(&stage.to_string())
            }
        }
    }

    /// What a name stands for in COPY --from and RUN --mount=from=: a context, a stage above, an image.
    fn source(&mut self, name: &str, span: Span, stage: usize) -> Result<VertexId> {
        if self.request.contexts.contains(name) {
            return Ok(self.context(name, span, stage));
        }
        if let Some(index) = self.file.stage(name, stage) {
            return Ok(self.stage(index)?.outcome.root);
        }
        if name.chars().all(|c| c.is_ascii_digit()) {
            return Err(Error::new(
                span,
                format!("invalid from flag value {name}: invalid stage index"),
            )
            .help(format!(
                "stages above this one are 0 to {}",
                stage.saturating_sub(1)
            )));
        }
        if let Some(later) = self.file.stage(name, self.file.stages.len()) {
            let what = if later == stage {
                "this stage"
            } else {
                "a stage below this one"
            };
            return Err(Error::new(
                span,
                format!("circular dependency or later stage: {name} is {what}"),
            )
            .help("move the stage that is copied from above the one that copies"));
        }
        let platform = self.request.platform.clone();
        Ok(self.image(name, platform, span, stage))
    }

    fn context(&mut self, name: &str, span: Span, stage: usize) -> VertexId {
        let found = self
            .vertices
            .iter()
            .position(|v| matches!(&v.op, Op::Context { name: n } if n == name));
        found.map(VertexId).unwrap_or_else(|| {
            let op = Op::Context {
                name: name.to_owned(),
            };
            self.add(op, Vec::new(), format!("[context {name}]"), span, stage)
        })
    }

    /// An image's vertex; one for all who name it.
    fn image(&mut self, reference: &str, platform: Platform, span: Span, stage: usize) -> VertexId {
        let same = |v: &Vertex| matches!(&v.op, Op::Image(i) if i.reference == reference && i.platform == platform);
        if let Some(found) = self.vertices.iter().position(same) {
            return VertexId(found);
        }
        let names: Vec<String> = self
            .file
            .stages
            .iter()
            .filter_map(dockerfile::Stage::name)
            .collect();
        let hint = suggest::nearest(reference, names.iter().map(String::as_str))
            .map(|meant| format!("did you mean the stage {meant}?"));
        let op = Op::Image(Image {
            reference: reference.to_owned(),
            platform,
            hint,
        });
        self.add(op, Vec::new(), format!("FROM {reference}"), span, stage)
    }
}
