//! RUN.

use dockerfile::instruction::mount::MountKind;
use dockerfile::instruction::{Command, Instruction, Run as Asked};
use dockerfile::{Mount, Word, heredoc};

use super::stage::Building;
use super::{Planner, configure};
use crate::error::{Error, Result};
use crate::graph::{Op, Run, RunMount, Script};
use crate::paths;

impl Planner<'_> {
    pub(super) fn run(
        &mut self,
        building: &mut Building,
        instruction: &Instruction,
        asked: &Asked,
    ) -> Result<()> {
        let mut inputs = vec![building.root];
        let mut mounts = Vec::new();
        for word in &asked.mounts {
            let text = building
                .scope
                .word(word, &building.config.env, &self.globals)?;
            let mut mount = Mount::parse(&text).map_err(|e| Error::new(word.span, e))?;
            mount.target = target(&mount, &building.config.working_dir);
            refuse_escape(&mount, word)?;
            let from = match &mount.kind {
                MountKind::Bind { from, .. } | MountKind::Cache { from, .. } => from.clone(),
                _ => None,
            };
            let input = match from {
                Some(name) => {
                    inputs.push(self.source(&name, word.span, building.index)?);
                    Some(inputs.len() - 1)
                }
                None => None,
            };
            mounts.push(RunMount { text, mount, input });
        }
        let arguments = building.scope.arguments(&building.config.env);
        let (args, script) = command(asked, building);
        let count = arguments.len();
        let shown = args.join(" ");
        building.remember(
            if count == 0 {
                format!("RUN {shown}")
            } else {
                format!("RUN |{count} {} {shown}", arguments.join(" "))
            },
            false,
        );
        let text = |word: &Option<Word>, default: &str| {
            word.as_ref()
                .map_or_else(|| default.to_owned(), |w| w.text.clone())
        };
        let run = Run {
            args,
            env: [building.config.env.clone(), arguments].concat(),
            proxies: self.globals.proxies(),
            cwd: if building.config.working_dir.is_empty() {
                "/".to_owned()
            } else {
                building.config.working_dir.clone()
            },
            user: building.config.user.clone(),
            network: text(&asked.network, "default"),
            security: text(&asked.security, "sandbox"),
            mounts,
            script,
        };
        if let Some(device) = asked.devices.first() {
            return Err(
                Error::new(device.span, "RUN --device is not supported").help("remove the flag")
            );
        }
        let name = building.title(&instruction.original);
        building.root = self.add(
            Op::Run(Box::new(run)),
            inputs,
            name,
            instruction.span,
            building.index,
        );
        Ok(())
    }
}

fn target(mount: &Mount, cwd: &str) -> String {
    match &mount.kind {
        MountKind::Secret { id, file: true, .. } if mount.target.is_empty() => {
            format!("/run/secrets/{id}")
        }
        MountKind::Ssh { id, .. } if mount.target.is_empty() => {
            format!("/run/buildkit/ssh_agent.{id}")
        }
        MountKind::Secret { file: false, .. } => String::new(),
        _ => paths::absolute(cwd, &mount.target),
    }
}

/// Sources stay inside what they are sources of (CVE-2024-1753, CVE-2024-9675), ids name and never lead (CVE-2024-9676).
fn refuse_escape(mount: &Mount, word: &Word) -> Result<()> {
    let (source, id) = match &mount.kind {
        MountKind::Bind { source, .. } => (source.as_str(), None),
        MountKind::Cache { source, id, .. } => (source.as_str(), id.as_deref()),
        MountKind::Secret { id, .. } | MountKind::Ssh { id, .. } => ("", Some(id.as_str())),
        MountKind::Tmpfs { .. } => ("", None),
    };
    let climbs = |path: &str| path.split('/').any(|part| part == "..");
    if climbs(source) {
        return Err(Error::new(
            word.span,
            format!("the mount's source {source} leads out of what it is in"),
        )
        .help("name a path without `..`"));
    }
    if id.is_some_and(climbs) {
        return Err(
            Error::new(word.span, "a mount's id must not have `..` in it")
                .help("name it with letters, digits and dashes"),
        );
    }
    if mount.target == "/" {
        return Err(
            Error::new(word.span, "invalid mount target \"/\"").help("mount below the root")
        );
    }
    Ok(())
}

/// The words that are run, and the script that they name.
fn command(asked: &Asked, building: &Building) -> (Vec<String>, Option<Script>) {
    let Command::Shell(text) = &asked.command else {
        return (configure::argv(&asked.command, building), None);
    };
    let mut argv = configure::shell(building);
    let Some(first) = asked.heredocs.first() else {
        argv.push(text.text.clone());
        return (argv, None);
    };
    if asked.heredocs.len() == 1 && heredoc::word(text.text.trim()).is_some() {
        let content = first.text();
        if content.starts_with("#!") {
            let path = format!("/dev/pipes/{}", first.name);
            let script = Script {
                name: first.name.clone(),
                content,
            };
            return (vec![path], Some(script));
        }
        argv.push(content);
        return (argv, None);
    }
    let mut whole = text.text.clone();
    for heredoc in &asked.heredocs {
        whole.push('\n');
        whole.push_str(&heredoc.content);
        whole.push_str(&heredoc.name);
    }
    argv.push(whole);
    (argv, None)
}
