//! Which variables have which values where.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use dockerfile::instruction::Arg;
use dockerfile::lint::scope::PROXIES;
use dockerfile::{Expander, Word};
use spec::Platform;

use crate::error::{Error, Result};
use crate::request::Request;

/// The arguments before the first FROM, and what is given from outside.
#[derive(Debug)]
pub(crate) struct Globals<'a> {
    request: &'a Request,
    expander: Expander,
    /// Declared, with their values.
    declared: BTreeMap<String, String>,
    platform: BTreeMap<String, String>,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Globals<'a> {
    pub(crate) fn new(file: &dockerfile::Dockerfile, request: &'a Request) -> Result<Self> {
        let mut globals = Self {
            request,
            expander: Expander::new(file.directives.escape),
            declared: BTreeMap::new(),
            platform: platform_args(request),
            used: RefCell::default(),
        };
        for (arg, _) in &file.globals {
            let value = match globals.given(&arg.name.text) {
                Some(value) => Some(value),
                None => match &arg.default {
                    Some(word) => Some(globals.base_word(word)?),
                    None => globals.platform.get(&arg.name.text).cloned(),
                },
            };
            if let Some(value) = value {
                globals.declared.insert(arg.name.text.clone(), value);
            }
        }
        Ok(globals)
    }

    fn given(&self, name: &str) -> Option<String> {
        let value = self.request.build_args.get(name)?;
        self.used.borrow_mut().insert(name.to_owned());
        Some(value.clone())
    }

    /// Expands a word of FROM.
    pub(crate) fn base_word(&self, word: &Word) -> Result<String> {
        let lookup = |name: &str| {
            self.declared
                .get(name)
                .or_else(|| self.platform.get(name))
                .cloned()
        };
        expand(self.expander, word, &lookup)
    }

    /// Build arguments that nobody asked for.
    pub(crate) fn unused(&self) -> BTreeSet<String> {
        let used = self.used.borrow();
        self.request
            .build_args
            .keys()
            .filter(|name| !used.contains(*name) && !known(name))
            .cloned()
            .collect()
    }

    /// `--build-arg` of proxies, which need no declaration.
    pub(crate) fn proxies(&self) -> Vec<String> {
        PROXIES
            .iter()
            .filter_map(|name| Some(format!("{name}={}", self.request.build_args.get(*name)?)))
            .collect()
    }
}

/// Arguments that work undeclared.
fn known(name: &str) -> bool {
    PROXIES.contains(&name) || name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH"
}

/// The variables of one stage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// In the order of their declaration.
    args: Vec<(String, String)>,
}

impl Scope {
    /// ARG inside a stage.
    pub(crate) fn declare(
        &mut self,
        arg: &Arg,
        env: &[String],
        globals: &Globals<'_>,
    ) -> Result<()> {
        let name = &arg.name.text;
        let value = match (globals.given(name), &arg.default) {
            (Some(value), _) => Some(value),
            (None, Some(word)) => Some(self.word(word, env, globals)?),
            (None, None) => globals
                .declared
                .get(name)
                .or_else(|| globals.platform.get(name))
                .cloned(),
        };
        self.args.retain(|(n, _)| n != name);
        if let Some(value) = value {
            self.args.push((name.clone(), value));
        }
        Ok(())
    }

    /// Expands a word: ENV wins over ARG.
    pub(crate) fn word(
        &self,
        word: &Word,
        env: &[String],
        globals: &Globals<'_>,
    ) -> Result<String> {
        expand(globals.expander, word, &|name| self.value(name, env))
    }

    /// Expands a text of a here-document, in which quotes are characters.
    pub(crate) fn text(
        &self,
        word: &Word,
        env: &[String],
        globals: &Globals<'_>,
    ) -> Result<String> {
        expand(globals.expander.plain_quotes(), word, &|name| {
            self.value(name, env)
        })
    }

    /// Expands a word into as many as it has then.
    pub(crate) fn words(
        &self,
        word: &Word,
        env: &[String],
        globals: &Globals<'_>,
    ) -> Result<Vec<String>> {
        globals
            .expander
            .expand(&word.text, &|name: &str| self.value(name, env))
            .map(|expanded| expanded.words)
            .map_err(|e| Error::new(word.span, format!("failed to process {:?}: {e}", word.text)))
    }

    fn value(&self, name: &str, env: &[String]) -> Option<String> {
        let in_env = env.iter().rev().find_map(|pair| {
            let (n, value) = pair.split_once('=').unwrap_or((pair, ""));
            (n == name).then(|| value.to_owned())
        });
        in_env.or_else(|| {
            self.args
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.clone())
        })
    }

    /// What RUN sees beside ENV, sorted: `NAME=value`. Names that ENV has are ENV's.
    pub(crate) fn arguments(&self, env: &[String]) -> Vec<String> {
        let mut out: Vec<String> = self
            .args
            .iter()
            .filter(|(name, _)| !PROXIES.contains(&name.as_str()))
            .filter(|(name, _)| !env.iter().any(|pair| pair.split('=').next() == Some(name)))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        out.sort();
        out
    }
}

fn expand(
    expander: Expander,
    word: &Word,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String> {
    expander
        .expand(&word.text, lookup)
        .map(|expanded| expanded.text)
        .map_err(|e| Error::new(word.span, format!("failed to process {:?}: {e}", word.text)))
}

fn platform_args(request: &Request) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut put = |prefix: &str, platform: &Platform| {
        let variant = platform.variant.clone().unwrap_or_default();
        let mut whole = format!("{}/{}", platform.os, platform.architecture);
        if !variant.is_empty() {
            whole = format!("{whole}/{variant}");
        }
        for (name, value) in [
            ("PLATFORM", whole),
            ("OS", platform.os.clone()),
            ("ARCH", platform.architecture.clone()),
            ("VARIANT", variant),
            ("OSVERSION", platform.os_version.clone().unwrap_or_default()),
        ] {
            out.insert(format!("{prefix}{name}"), value);
        }
    };
    put("BUILD", &request.build_platform);
    put("TARGET", &request.platform);
    out.insert(
        "TARGETSTAGE".to_owned(),
        request
            .target
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
    );
    out
}
