//! From what is asked to a plan: the Dockerfile is read, checked and planned. Nothing runs yet.

use std::collections::BTreeMap;

use dockerfile::{Diagnostic, Ignore, Source};
use spec::image::ImageConfig;

use super::progress::{Step, Voice, Warning, What};
use super::request::{BuildRequest, File, NamedContext, Purpose};
use super::source::Tree;
use super::{Build, Files, mistake};
use crate::error::{Error, Kind, Result};
use crate::image::lookup;
use crate::open::{Engine, Inner};

/// A Dockerfile is not larger.
const MAX_DOCKERFILE: u64 = 4 << 20;

/// Everything until the first step; none if the file was only to be checked.
pub(super) fn prepare<'a>(
    engine: &'a Engine,
    request: &'a BuildRequest,
    files: Files,
    voice: Voice,
) -> Result<Option<Build<'a>>> {
    let inner = &*engine.0;
    let (context, whole) = open(inner, files)?;
    let named = named(request, whole.as_ref())?;
    let (name, text, ignore) = read(request, &context)?;
    let source = Source::new(name, text.as_str());
    let parsed = dockerfile::parse(&text);
    if request.purpose == Purpose::Check {
        check(&parsed, request, &ignore, &source, &voice)?;
        return Ok(None);
    }
    refuse(&parsed.diagnostics, &source)?;
    let bases = find_bases(inner, &parsed.file, request, &source)?;
    let configs = configurations(&bases)?;
    let checked = lint(&parsed.file, request, &ignore);
    refuse(&checked, &source)?;
    for warning in parsed.diagnostics.iter().chain(&checked) {
        voice.say(What::Warning(Warning::of(warning, &source)));
    }
    let graph = builder::plan(&parsed.file, &request.plan, &configs)
        .map_err(|e| mistake(e.diagnostic(), &source))?;
    for name in &graph.unused_args {
        voice.say(What::Warning(Warning {
            rule: String::new(),
            message: format!("[Warning] One or more build-args [{name}] were not consumed"),
            detail: String::new(),
        }));
    }
    let steps = graph.vertices.iter().map(|vertex| Step {
        name: vertex.name.clone(),
        inputs: vertex.inputs.iter().map(|input| input.0).collect(),
    });
    voice.say(What::Planned(steps.collect()));
    Ok(Some(Build {
        engine,
        request,
        context,
        named,
        ignore,
        source,
        graph,
        bases,
        voice,
        epoch: epoch(request)?,
    }))
}

/// The context, and the whole of what was streamed, in which named contexts may be too.
fn open(inner: &Inner, files: Files) -> Result<(Tree, Option<Tree>)> {
    match files {
        Files::Nothing => Ok((Tree::empty(), None)),
        Files::Directory(fd) => Ok((Tree::directory_of_host(fd), None)),
        Files::Stream(tar, prefix) => {
            let layer = inner.store()?.unpack(tar, &[])?;
            let whole = Tree::of(inner, &[layer.id])?;
            let context = if prefix.is_empty() {
                Tree::of(inner, &[layer.id])?
            } else {
                whole.inside(&prefix)?
            };
            Ok((context, Some(whole)))
        }
    }
}

fn named(request: &BuildRequest, whole: Option<&Tree>) -> Result<BTreeMap<String, Tree>> {
    let mut out = BTreeMap::new();
    for (name, context) in &request.contexts {
        let tree = match context {
            NamedContext::Image(_) => continue,
            NamedContext::Directory(fd) => {
                let fd = fd.try_clone();
                Tree::directory_of_host(fd.map_err(|e| Error::internal("duplicate", e))?)
            }
            NamedContext::Streamed(prefix) => match whole {
                Some(whole) => whole.inside(prefix)?,
                None => {
                    return Err(Error::invalid(format!(
                        "the named context {name} was not sent"
                    )));
                }
            },
        };
        out.insert(name.clone(), tree);
    }
    Ok(out)
}

/// The Dockerfile's name and text, and what is left out of the context.
fn read(request: &BuildRequest, context: &Tree) -> Result<(String, String, Ignore)> {
    let invalid =
        |name: &str, e: dockerfile::ignore::IgnoreError| Error::invalid(format!("{name}: {e}"));
    match &request.file {
        File::Given { name, text, ignore } => {
            let ignore = Ignore::parse(ignore).map_err(|e| invalid(".dockerignore", e))?;
            Ok((name.clone(), text.clone(), ignore))
        }
        File::InContext(name) => {
            let name = if name.is_empty() { "Dockerfile" } else { name };
            let text = context.text(name, MAX_DOCKERFILE)?.ok_or_else(|| {
                Error::invalid(format!("Cannot locate specified Dockerfile: {name}"))
                    .hint("name it with -f; its path is seen from the context")
            })?;
            for file in [format!("{name}.dockerignore"), ".dockerignore".to_owned()] {
                if let Some(patterns) = context.text(&file, MAX_DOCKERFILE)? {
                    let ignore = Ignore::parse(&patterns).map_err(|e| invalid(&file, e))?;
                    return Ok((name.to_owned(), text, ignore));
                }
            }
            Ok((name.to_owned(), text, Ignore::default()))
        }
    }
}

fn lint(file: &dockerfile::Dockerfile, request: &BuildRequest, ignore: &Ignore) -> Vec<Diagnostic> {
    let names: Vec<String> = request.plan.build_args.keys().cloned().collect();
    dockerfile::lint::check(
        file,
        &dockerfile::lint::Known {
            ignore: Some(ignore),
            build_args: &names,
            ..Default::default()
        },
    )
}

/// Says all that can be said of the file; fails if it can't be built, or not without a warning.
fn check(
    parsed: &dockerfile::Parsed,
    request: &BuildRequest,
    ignore: &Ignore,
    source: &Source,
    voice: &Voice,
) -> Result<()> {
    let checked = lint(&parsed.file, request, ignore);
    let mut all: Vec<&Diagnostic> = parsed.diagnostics.iter().chain(&checked).collect();
    all.sort_by_key(|found| found.span.start);
    for found in &all {
        voice.say(What::Warning(Warning::of(found, source)));
    }
    if all.iter().any(|found| found.is_error()) {
        return Err(Error::invalid(format!(
            "{} can't be built as it is",
            source.name()
        )));
    }
    Ok(())
}

/// All errors at once, in Docker's words and with their places.
fn refuse(found: &[Diagnostic], source: &Source) -> Result<()> {
    let Some(first) = found.iter().find(|d| d.is_error()) else {
        return Ok(());
    };
    let mut error = mistake(first, source);
    let all: String = found
        .iter()
        .filter(|d| d.is_error())
        .map(|d| d.render(source))
        .collect();
    error.hint = Some(all);
    Err(error)
}

fn find_bases(
    inner: &Inner,
    file: &dockerfile::Dockerfile,
    request: &BuildRequest,
    source: &Source,
) -> Result<BTreeMap<String, lookup::Found>> {
    let wanted =
        builder::plan::bases(file, &request.plan).map_err(|e| mistake(e.diagnostic(), source))?;
    let mut out = BTreeMap::new();
    for reference in wanted {
        if reference.is_empty() {
            continue;
        }
        match lookup::find(inner, image_name(request, &reference)) {
            Ok(found) => {
                out.insert(reference, found);
            }
            // A stage that the target does not need may name what is not there.
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(out)
}

/// The image that a name in the file means: a named context may put another in its place.
pub(super) fn image_name<'a>(request: &'a BuildRequest, reference: &'a str) -> &'a str {
    match request.contexts.get(reference) {
        Some(NamedContext::Image(other)) => other,
        _ => reference,
    }
}

fn configurations(bases: &BTreeMap<String, lookup::Found>) -> Result<builder::Bases> {
    let mut configs = builder::Bases::new();
    for (reference, found) in bases {
        let config = ImageConfig::parse(found.row.config.as_bytes())?;
        configs.insert(reference.clone(), config);
    }
    Ok(configs)
}

fn epoch(request: &BuildRequest) -> Result<Option<i64>> {
    let given = request.plan.build_args.get("SOURCE_DATE_EPOCH");
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let seconds = text.parse().ok().filter(|seconds| *seconds >= 0);
    seconds.map(Some).ok_or_else(|| {
        Error::invalid(format!("invalid SOURCE_DATE_EPOCH: {text}"))
            .hint("give it the seconds since 1970: --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)")
    })
}
