//! COPY and ADD.

use dockerfile::instruction::{Copy as Asked, CopySource, Instruction, Toggle};
use dockerfile::{Ignore, Word};

use super::Planner;
use super::stage::Building;
use crate::error::{Error, Result};
use crate::graph::{Copy, Item, Op, Origin, Unpack};
use crate::paths;

impl Planner<'_> {
    pub(super) fn copy(
        &mut self,
        building: &mut Building,
        instruction: &Instruction,
        asked: &Asked,
        add: bool,
    ) -> Result<()> {
        let env = building.config.env.clone();
        let scope = building.scope.clone();
        let word = |planner: &Self, word: &Word| scope.word(word, &env, &planner.globals);
        let optional =
            |planner: &Self, w: &Option<Word>| w.as_ref().map(|w| word(planner, w)).transpose();
        let mut inputs = vec![building.root];
        let origin = match &asked.from {
            None => Origin::Context,
            Some(from) => {
                let name = word(self, from)?;
                inputs.push(self.source(&name, from.span, building.index)?);
                Origin::Input
            }
        };
        let target = word(self, &asked.target)?;
        let mut items = Vec::new();
        for source in &asked.sources {
            items.push(match source {
                CopySource::Path(path) => item(&word(self, path)?, add, path)?,
                CopySource::Inline(doc) => {
                    let text = Word {
                        text: doc.text(),
                        span: doc.span,
                    };
                    let content = if doc.expand {
                        scope.text(&text, &env, &self.globals)?
                    } else {
                        text.text
                    };
                    Item::Inline {
                        name: doc.name.clone(),
                        content,
                    }
                }
            });
        }
        let into_directory = target.ends_with('/') || target == "." || target.ends_with("/.");
        let many = items.len() > 1
            || items
                .iter()
                .any(|i| matches!(i, Item::Path(p) if dockerfile::glob::Glob::is_pattern(p)));
        if items.len() > 1 && many && !into_directory && !asked.parents.is_on() {
            let name = if add { "ADD" } else { "COPY" };
            return Err(Error::new(
                asked.target.span,
                format!("When using {name} with more than one source file, the destination must be a directory and end with a /"),
            )
            .help(format!("write {target}/")));
        }
        let mut excludes = Vec::new();
        for pattern in &asked.excludes {
            let text = word(self, pattern)?;
            Ignore::new(&[&text]).map_err(|e| Error::new(pattern.span, e.to_string()))?;
            excludes.push(text);
        }
        let copy = Copy {
            origin,
            items,
            target: paths::absolute(&building.config.working_dir, &target),
            chown: optional(self, &asked.chown)?,
            chmod: chmod(optional(self, &asked.chmod)?, asked)?,
            link: asked.link.is_on(),
            parents: asked.parents.is_on(),
            excludes,
            unpack: match (add, asked.unpack) {
                (false, _) | (true, Some(Toggle::Off)) => Unpack::Never,
                (true, None) => Unpack::Local,
                (true, Some(Toggle::On)) => Unpack::All,
            },
            checksum: optional(self, &asked.checksum)?,
            keep_git_dir: asked.keep_git_dir.is_on(),
        };
        check_remote(&copy, asked)?;
        building.remember(instruction.original.clone(), false);
        let name = building.title(&instruction.original);
        building.root = self.add(
            Op::Copy(Box::new(copy)),
            inputs,
            name,
            instruction.span,
            building.index,
        );
        Ok(())
    }
}

fn item(text: &str, add: bool, word: &Word) -> Result<Item> {
    let remote = text.starts_with("http://") || text.starts_with("https://");
    let bare = text.split('#').next().unwrap_or(text);
    let git = text.starts_with("git@")
        || text.starts_with("git://")
        || text.starts_with("ssh://")
        || (remote && bare.ends_with(".git"));
    if !remote && !git {
        return Ok(Item::Path(paths::inside(text)));
    }
    if !add {
        return Err(
            Error::new(word.span, format!("source can't be a URL for COPY: {text}"))
                .help("write ADD"),
        );
    }
    if git {
        // A ref that starts with a dash would be an option of git (CVE-2019-13139), a directory with `..` leads out
        // (CVE-2026-33748).
        let rest = text.split_once('#').map_or("", |(_, rest)| rest);
        let (name, directory) = rest.split_once(':').unwrap_or((rest, ""));
        if name.starts_with('-') || directory.split('/').any(|part| part == "..") {
            return Err(
                Error::new(word.span, format!("invalid git reference {rest:?}"))
                    .help("write #branch:directory"),
            );
        }
        return Ok(Item::Git(text.to_owned()));
    }
    Ok(Item::Url(text.to_owned()))
}

fn chmod(text: Option<String>, asked: &Asked) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let octal = u32::from_str_radix(&text, 8).is_ok_and(|mode| mode <= 0o7777);
    let clause = |part: &str| {
        let who = part.trim_start_matches(['u', 'g', 'o', 'a']);
        who.starts_with(['+', '-', '=']) && who[1..].chars().all(|c| "rwxXstugo".contains(c))
    };
    if octal || (!text.is_empty() && text.split(',').all(clause)) {
        return Ok(Some(text));
    }
    let span = asked.chmod.as_ref().map_or(asked.target.span, |w| w.span);
    Err(Error::new(
        span,
        format!(
            "invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
        ),
    )
    .help("write --chmod=755 or --chmod=u=rwX,go=rX"))
}

fn check_remote(copy: &Copy, asked: &Asked) -> Result<()> {
    let Some(checksum) = &asked.checksum else {
        return Ok(());
    };
    let mut remote = copy
        .items
        .iter()
        .filter(|i| matches!(i, Item::Url(_) | Item::Git(_)));
    if remote.next().is_none() || copy.items.len() != 1 {
        return Err(Error::new(
            checksum.span,
            "checksum can't be specified for multiple sources, or for local ones",
        )
        .help("give each address an ADD of its own"));
    }
    Ok(())
}
