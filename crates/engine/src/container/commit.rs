//! An image of a container's files.

use std::collections::BTreeMap;

use failpoint::failpoint;
use kernel::cgroup::{Cgroup, CgroupPath};
use spec::image::{Config as ImageDefaults, Empty, History, ImageConfig, RootFs};
use spec::{Digest, ImageId, LayerId, Platform, Reference};
use state::{ContainerRow, Durability, EntryId, ImageRow, NewEntry};
use store::Layer;

use super::config::Config;
use super::export::PLACES;
use super::lookup;
use super::merge::merge_env;
use super::stored::Stored;
use crate::error::{Error, Result};
use crate::event::{Happened, Subject};
use crate::image::changes;
use crate::image::import::{Adding, store_small};
use crate::open::Inner;
use crate::truth::{self, Now};

/// The journal's word for a container that stands still until its files are read.
pub(crate) const HELD: &str = "container.hold";

/// What of an empty layer is its tar: nothing but its end.
const EMPTY: u64 = 1024;

/// Whether a container stands still while its files are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pause {
    /// It does.
    #[default]
    Yes,
    /// It runs on, and what it writes meanwhile may be there in part.
    No,
}

/// An image to make of a container.
#[derive(Debug, Clone, Default)]
pub struct CommitRequest {
    /// The tag that it gets.
    pub reference: Option<Reference>,
    /// Its author.
    pub author: String,
    /// Its history's comment.
    pub comment: String,
    /// Whether the container stands still meanwhile.
    pub pause: Pause,
    /// Instructions for its configuration, as in a Dockerfile.
    pub changes: Vec<String>,
    /// What its configuration says instead of the container's, where it says something.
    pub config: Config,
}

pub(super) fn commit(inner: &Inner, name: &str, request: &CommitRequest) -> Result<ImageId> {
    let row = lookup::find(inner, name)?;
    let stored = Stored::parse(&row.id, &row.config)?;
    // Mistakes in it are told before anything is done.
    let config = config(&stored, request)?;
    let adding = Adding::begin(inner, "commit")?;
    let entry = adding.entry;
    let made = make(inner, &row, &stored, request, config, entry);
    let id = adding.end(made)?;
    let mut happened = Happened::to_container(&row, "commit")
        .with("comment", &request.comment)
        .with("imageID", id);
    if let Some(reference) = &request.reference {
        happened = happened.with("imageRef", reference.familiar());
    }
    inner.record(happened);
    if let Some(reference) = &request.reference {
        let tag = Happened::to(Subject::Image, "tag", id);
        inner.record(tag.with("name", reference.familiar()));
    }
    Ok(id)
}

fn make(
    inner: &Inner,
    row: &ContainerRow,
    stored: &Stored,
    request: &CommitRequest,
    config: ImageDefaults,
    entry: EntryId,
) -> Result<ImageId> {
    let layers = inner.db.read(|tx| tx.container_layers(&row.id))?;
    let layer = read(inner, row, &layers, request.pause)?;
    failpoint!("container.commit.after_layer");
    let (document, size) = document(inner, row, stored, request, (config, &layers, &layer))?;
    let text =
        serde_json::to_string(&document).map_err(|e| Error::internal("write configuration", e))?;
    let blob = store_small(inner, text.as_bytes())?;
    failpoint!("container.commit.after_config");
    let id = ImageId::new(Digest::of(&text));
    let created = document.created.as_deref().and_then(|t| t.parse().ok());
    let nanos = inner.nanos();
    let image = ImageRow {
        id,
        manifest: None,
        config: text,
        size,
        created_at: created.and_then(|t: jiff::Timestamp| i64::try_from(t.as_nanosecond()).ok()),
        added_at: nanos,
        tagged_at: None,
    };
    let mut all = layers;
    all.extend(layer.as_ref().map(|layer| layer.id));
    inner.db.write_with(Durability::Full, |tx| {
        tx.add_image(&image, &all, &[blob])?;
        if let Some(reference) = &request.reference {
            tx.set_tag(&reference.to_string(), &id, nanos)?;
        }
        tx.finish(entry)
    })?;
    failpoint!("container.commit.after_row");
    Ok(id)
}

/// The layer of what the container wrote; none if that is nothing.
fn read(
    inner: &Inner,
    row: &ContainerRow,
    layers: &[LayerId],
    pause: Pause,
) -> Result<Option<Layer>> {
    let store = inner.store()?;
    // Nobody starts, stops or removes it meanwhile.
    let _lock = inner.lock_container(&row.id)?;
    let row = lookup::again(inner, row)?;
    let snapshot = store.snapshot(&row.id, layers).without(&PLACES);
    if !snapshot.exists() {
        return Ok(None);
    }
    let held = match (truth::look_locked(inner, &row)?, pause) {
        (Now::Running(_), Pause::Yes) => hold(inner, &row)?,
        _ => None,
    };
    let layer = store.layer_from_snapshot(&snapshot);
    if let Some(entry) = held {
        release(inner, &row, entry)?;
    }
    Ok(Some(layer?).filter(|layer| layer.size > EMPTY))
}

/// Stops a container where it is; none if it is stopped already, by somebody else. Whoever comes after a kill lets it go on.
fn hold(inner: &Inner, row: &ContainerRow) -> Result<Option<EntryId>> {
    let Some(cgroup) = cgroup(inner, row)? else {
        return Ok(None);
    };
    if cgroup.is_frozen()? {
        return Ok(None);
    }
    let (owner, subject) = (inner.owner()?, row.id.to_string());
    let entry = inner.db.write(|tx| {
        tx.begin(&NewEntry {
            kind: HELD,
            subject: &subject,
            owner,
            payload: "{}",
            created_at: inner.nanos(),
        })
    })?;
    if let Err(error) = cgroup.freeze() {
        drop(release(inner, row, entry));
        return Err(error.into());
    }
    failpoint!("container.commit.held");
    Ok(Some(entry))
}

/// Lets a container go on.
pub(crate) fn release(inner: &Inner, row: &ContainerRow, entry: EntryId) -> Result<()> {
    if let Some(cgroup) = cgroup(inner, row)? {
        cgroup.thaw()?;
    }
    Ok(inner.db.write(|tx| tx.finish(entry))?)
}

fn cgroup(inner: &Inner, row: &ContainerRow) -> Result<Option<Cgroup>> {
    let parent = Stored::parse(&row.id, &row.config).map(|s| s.host.cgroup_parent);
    let path = inner.cgroup(&parent.unwrap_or_default(), &row.id);
    Ok(Cgroup::open(inner.layout()?, &CgroupPath::parse(&path)?)?)
}

/// The image's configuration, and the bytes of its layers. What the image that the container was made of says of its making is kept, if it is
/// still there.
fn document(
    inner: &Inner,
    row: &ContainerRow,
    stored: &Stored,
    request: &CommitRequest,
    (config, layers, layer): (ImageDefaults, &[LayerId], &Option<Layer>),
) -> Result<(ImageConfig, u64)> {
    let (base, rows) = inner.db.read(|tx| {
        let rows: state::Result<Vec<_>> = layers.iter().map(|id| tx.layer(id)).collect();
        Ok((tx.image(&row.image)?, rows?))
    })?;
    let base = base
        .map(|base| ImageConfig::parse(base.config.as_bytes()))
        .transpose()?;
    let rows: Vec<_> = rows.into_iter().flatten().collect();
    let mut diff_ids: Vec<_> = rows.iter().map(|row| row.diff_id).collect();
    diff_ids.extend(layer.as_ref().map(|layer| layer.diff_id));
    let mut size: u64 = rows.iter().map(|row| row.tar_size).sum();
    size += layer.as_ref().map_or(0, |layer| layer.size);
    let created = inner.now().to_string();
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let platform = base
        .as_ref()
        .map_or_else(Platform::host, ImageConfig::platform);
    let mut history = base.map(|base| base.history).unwrap_or_default();
    history.push(History {
        created: Some(created.clone()),
        created_by: some(&stored.config.cmd.clone().unwrap_or_default().join(" ")),
        author: some(&request.author),
        comment: some(&request.comment),
        empty_layer: layer.is_none(),
    });
    let document = ImageConfig {
        architecture: platform.architecture,
        variant: platform.variant,
        author: some(&request.author),
        config,
        created: Some(created),
        history,
        os: platform.os,
        os_version: None,
        os_features: None,
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids,
        },
    };
    Ok((document, size))
}

/// What containers of the image start with: what is asked for, over what the container has.
fn config(stored: &Stored, request: &CommitRequest) -> Result<ImageDefaults> {
    let mut config = image_config(&request.config);
    changes::apply(&mut config, &request.changes)?;
    Ok(over(config, image_config(&stored.config)))
}

fn set(keys: impl Iterator<Item = String>) -> BTreeMap<String, Empty> {
    keys.map(|key| (key, Empty {})).collect()
}

fn image_config(config: &Config) -> ImageDefaults {
    ImageDefaults {
        user: config.user.clone(),
        exposed_ports: set(config.exposed_ports.iter().cloned()),
        env: config.env.clone(),
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        healthcheck: config.healthcheck.as_ref().map(|check| {
            let some = |value: i64| Some(value).filter(|value| *value != 0);
            spec::image::Healthcheck {
                test: check.test.clone(),
                interval: some(check.interval),
                timeout: some(check.timeout),
                start_period: some(check.start_period),
                start_interval: some(check.start_interval),
                retries: some(check.retries),
            }
        }),
        volumes: set(config.volumes.iter().cloned()),
        working_dir: config.working_dir.clone(),
        labels: config.labels.clone(),
        stop_signal: config.stop_signal.clone(),
        stop_timeout: config.stop_timeout.and_then(|t| u32::try_from(t).ok()),
        shell: config.shell.clone(),
        on_build: None,
        args_escaped: None,
    }
}

/// `new` with what `old` says where it says nothing.
fn over(mut new: ImageDefaults, old: ImageDefaults) -> ImageDefaults {
    // A new program does not go with the old one's arguments.
    if new.entrypoint.is_none() {
        new.cmd = new.cmd.or(old.cmd);
        new.entrypoint = old.entrypoint;
    }
    if new.user.is_empty() {
        new.user = old.user;
    }
    if new.working_dir.is_empty() {
        new.working_dir = old.working_dir;
    }
    new.env = merge_env(&old.env, &new.env);
    let mut labels = old.labels;
    labels.append(&mut new.labels);
    new.labels = labels;
    new.exposed_ports.extend(old.exposed_ports);
    new.volumes.extend(old.volumes);
    new.healthcheck = new.healthcheck.or(old.healthcheck);
    new.stop_signal = new.stop_signal.or(old.stop_signal);
    new.stop_timeout = new.stop_timeout.or(old.stop_timeout);
    new.shell = new.shell.or(old.shell);
    new
}
