//! What a RUN sees besides its root: parts of the context and of other stages, caches, secrets, agents, and its script.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use builder::graph::{Run, RunMount};
use dockerfile::instruction::mount::{Access, MountKind as Asked};
use kernel::mount::{Attr, FsContext, Mount, Recursive};
use kernel::root::RootDir;
use spec::ContainerId;
use store::{Area, Ownership};

use super::agent::Agent;
use super::cache::{self, Cache};
use crate::build::Build;
use crate::build::schedule::{Done, Step};
use crate::build::source::Tree;
use crate::container::MountKind;
use crate::container::stored::{Missing, StoredMount};
use crate::error::{Error, Result};
use crate::open::make_dir;

/// All of it. Dropping it takes it away.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) mounts: Vec<StoredMount>,
    pub(super) env: Vec<String>,
    caches: Vec<Cache>,
    agents: Vec<Agent>,
    area: Option<Area>,
}

impl Drop for Shown {
    fn drop(&mut self) {
        // Who listens and who is locked goes before what they are in.
        self.agents.clear();
        self.caches.clear();
        self.area = None;
    }
}

/// Makes all that a command is shown.
pub(super) fn show(
    step: &Step<'_>,
    command: &Run,
    inputs: &[Done],
    id: &ContainerId,
) -> Result<Shown> {
    let mut shown = Shown::default();
    let tmpfs = |mount: &RunMount| matches!(mount.mount.kind, Asked::Tmpfs { .. });
    if command.script.is_none() && command.mounts.iter().all(tmpfs) {
        return Ok(shown);
    }
    let build = step.build;
    let area = build.engine.0.store()?.area(id)?;
    if let Some(script) = &command.script {
        let owner = Ownership {
            uid: 0,
            gid: 0,
            mode: 0o755,
        };
        let path = area.file("script", script.content.as_bytes(), owner)?;
        let target = format!("/dev/pipes/{}", script.name);
        shown.mounts.push(bind(path, target, Access::ReadOnly));
    }
    let place = Place {
        build,
        area: &area,
        inputs,
        id,
    };
    for (number, mount) in command.mounts.iter().enumerate() {
        place.one(number, mount, &mut shown)?;
    }
    shown.area = Some(area);
    Ok(shown)
}

struct Place<'a> {
    build: &'a Build<'a>,
    area: &'a Area,
    inputs: &'a [Done],
    id: &'a ContainerId,
}

impl Place<'_> {
    fn one(&self, number: usize, asked: &RunMount, shown: &mut Shown) -> Result<()> {
        let target = asked.mount.target.clone();
        match &asked.mount.kind {
            Asked::Tmpfs { .. } => {}
            Asked::Bind {
                source, writable, ..
            } => {
                let path = self.part(number, asked, source)?;
                let path = match writable {
                    Access::ReadOnly => path,
                    Access::Writable => self.writable(number, &path)?,
                };
                shown.mounts.push(bind(path, target, *writable));
            }
            Asked::Cache {
                source, writable, ..
            } => {
                let from = match asked.input {
                    Some(_) => Some(self.part(number, asked, source)?),
                    None => None,
                };
                let cache = cache::open(self.build, asked, from.as_deref())?;
                let inside = if from.is_some() { "" } else { source.as_str() };
                let mount = cache.mount(inside)?;
                let path = self.area.attach(&format!("cache{number}"), &mount)?;
                shown.caches.push(cache);
                shown.mounts.push(bind(path, target, *writable));
            }
            Asked::Secret { .. } => self.secret(number, asked, shown)?,
            Asked::Ssh { .. } => self.agent(number, asked, shown)?,
        }
        Ok(())
    }

    /// A part of the context or of another stage, attached in the area.
    fn part(&self, number: usize, asked: &RunMount, source: &str) -> Result<PathBuf> {
        let input = asked.input.and_then(|input| self.inputs.get(input));
        let named = input.and_then(|done| done.context.as_ref());
        let own;
        let tree = match (input, named) {
            (_, Some(name)) => self
                .build
                .named
                .get(name)
                .ok_or_else(|| Error::not_found(format!("no context {name}")))?,
            (Some(done), None) => {
                own = self.view(number, done)?;
                &own
            }
            (None, None) => &self.build.context,
        };
        let missing = || {
            Error::not_found(format!(
                "failed to compute cache key: \"/{}\": not found",
                source.trim_matches('/')
            ))
            .hint("a bind shows what is in the context, or in what from= names")
        };
        let fd = tree.path(source)?.ok_or_else(missing)?;
        let mount = Mount::clone_tree(&fd, "", Recursive::Yes)?;
        Ok(self.area.attach(&format!("part{number}"), &mount)?)
    }

    /// The root of a stage: attached, because older kernels clone nothing else.
    fn view(&self, number: usize, done: &Done) -> Result<Tree> {
        let layers = done.root.ids();
        let mount = self.build.engine.0.store()?.view(&layers)?;
        let path = self.area.attach(&format!("view{number}"), &mount)?;
        Ok(Tree::rooted(RootDir::open(path)?))
    }

    /// The same with a writable layer above it, which goes with the step.
    fn writable(&self, number: usize, lower: &std::path::Path) -> Result<PathBuf> {
        let base = self.build.engine.0.container_dir(self.id);
        let base = base.join(format!("mount{number}"));
        let (upper, work) = (base.join("upper"), base.join("work"));
        make_dir(&upper)?;
        make_dir(&work)?;
        let open =
            |path: &std::path::Path| -> Result<OwnedFd> { Ok(RootDir::open(path)?.into_fd()) };
        let (lower, upper, work) = (open(lower)?, open(&upper)?, open(&work)?);
        let path = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
        let mount = FsContext::new("overlay")?
            .string("lowerdir", path(&lower))
            .string("upperdir", path(&upper))
            .string("workdir", path(&work))
            .string("index", "off")
            .string("metacopy", "off")
            .flag("volatile")
            .create()?
            .mount(Attr::empty())?;
        Ok(self.area.attach(&format!("writable{number}"), &mount)?)
    }

    fn secret(&self, number: usize, asked: &RunMount, shown: &mut Shown) -> Result<()> {
        let Asked::Secret {
            id,
            env,
            file,
            required,
            mode,
            uid,
            gid,
        } = &asked.mount.kind
        else {
            return Ok(());
        };
        let Some(value) = self.build.request.secrets.get(id) else {
            if *required {
                return Err(Error::not_found(format!("secret {id}: not found"))
                    .hint(format!("give it with --secret id={id},src=FILE")));
            }
            return Ok(());
        };
        if let Some(name) = env {
            let text = std::str::from_utf8(value.bytes()).map_err(|_| {
                Error::invalid(format!("secret {id} is not text: it can't be a variable"))
                    .hint("mount it as a file")
            })?;
            shown.env.push(format!("{name}={text}"));
        }
        if *file {
            let owner = Ownership {
                uid: *uid,
                gid: *gid,
                mode: *mode,
            };
            let path = self
                .area
                .file(&format!("secret{number}"), value.bytes(), owner)?;
            let target = asked.mount.target.clone();
            shown.mounts.push(bind(path, target, Access::ReadOnly));
        }
        Ok(())
    }

    fn agent(&self, number: usize, asked: &RunMount, shown: &mut Shown) -> Result<()> {
        let Asked::Ssh {
            id,
            required,
            mode,
            uid,
            gid,
        } = &asked.mount.kind
        else {
            return Ok(());
        };
        let Some(socket) = self.build.request.agents.get(id) else {
            if *required {
                return Err(
                    Error::not_found(format!("unset ssh forward key {id}: no such agent"))
                        .hint(format!("give it with --ssh {id}")),
                );
            }
            return Ok(());
        };
        let owner = Ownership {
            uid: *uid,
            gid: *gid,
            mode: *mode,
        };
        let name = format!("agent{number}");
        let agent = Agent::listen(self.area.path(), &name, socket, owner)?;
        let target = asked.mount.target.clone();
        // Of several the first is the one that programs ask.
        if shown.agents.is_empty() {
            shown.env.push(format!("SSH_AUTH_SOCK={target}"));
        }
        shown
            .mounts
            .push(bind(self.area.path().join(&name), target, Access::Writable));
        shown.agents.push(agent);
        Ok(())
    }
}

fn bind(path: PathBuf, target: String, access: Access) -> StoredMount {
    StoredMount {
        kind: MountKind::Bind,
        source: path.display().to_string(),
        destination: target,
        read_only: access == Access::ReadOnly,
        non_recursive: false,
        propagation: String::new(),
        mode: String::new(),
        tmpfs: Vec::new(),
        subpath: String::new(),
        writable_inside: false,
        missing: Missing::Refuse,
    }
}
