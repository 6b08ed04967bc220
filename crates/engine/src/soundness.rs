//! Whether what is on disk, in the kernel and in the database agree.

use std::collections::BTreeSet;
use std::path::Path;

use kernel::cgroup::{Cgroup, CgroupPath};
use spec::ContainerId;
use state::LockKind;

use crate::container::stored::Stored;
use crate::error::Result;
use crate::image::garbage;
use crate::network::again;
use crate::open::Inner;
use crate::recovery;
use crate::rootfs;
use crate::system::Finding;
use crate::truth;

/// Compares everything. What a kill left that the next command clears up is cleared up first, as that command would.
pub(crate) fn check(inner: &Inner) -> Result<Vec<Finding>> {
    recovery::recover(inner)?;
    again::sweep(inner)?;
    let mut findings = Findings::default();
    for problem in inner.db.check()? {
        findings.add("database", problem);
    }
    let (rows, journal) = inner.db.read(|tx| Ok((tx.containers()?, tx.journal()?)))?;
    for entry in &journal {
        let subject = format!("operation {} of {}", entry.kind, entry.subject);
        findings.add(&subject, "it is still under way, or could not be finished");
    }
    let mut alive = BTreeSet::new();
    let mut known = BTreeSet::new();
    for row in &rows {
        let subject = format!("container {}", row.id);
        if let Err(error) = Stored::parse(&row.id, &row.config) {
            findings.add(&subject, error.chain());
        }
        let now = truth::look(inner, row)?;
        if matches!(now, truth::Now::Gone) {
            continue;
        }
        known.insert(row.id.to_string());
        if now.is_alive() {
            alive.insert(row.id.to_string());
        } else {
            stopped(inner, &row.id, &row.config, &mut findings)?;
        }
    }
    directories(inner, &known, &alive, &mut findings);
    for left in inner.fabric().leftovers(&again::desired(inner)?)? {
        findings.add("network", format!("no container needs it: {left}"));
    }
    content(inner, &mut findings)?;
    Ok(findings.0)
}

/// Reads all layers and blobs, and compares them with what they were when they came.
pub(crate) fn verify(inner: &Inner) -> Result<Vec<Finding>> {
    let mut findings = Findings::default();
    let store = inner.store()?;
    let (images, layers, blobs) = inner
        .db
        .read(|tx| Ok((tx.images()?, tx.layers()?, tx.blobs()?)))?;
    for layer in layers {
        if let Err(error) = store.verify_layer(&layer.id) {
            let mut users = Vec::new();
            for image in &images {
                if inner
                    .db
                    .read(|tx| tx.image_layers(&image.id))?
                    .contains(&layer.id)
                {
                    let tags = inner.db.read(|tx| tx.tags_of(&image.id))?;
                    users.push(
                        tags.into_iter()
                            .next()
                            .unwrap_or_else(|| image.id.to_string()),
                    );
                }
            }
            let why = crate::error::Error::from(error).chain();
            let of = users.join(", ");
            findings.add(
                &format!("layer {}", layer.id),
                format!("{why} (image {of})"),
            );
        }
    }
    for blob in blobs {
        if let Err(error) = store.verify_blob(&blob.digest) {
            let why = crate::error::Error::from(error).chain();
            findings.add(&format!("blob {}", blob.digest), why);
        }
    }
    Ok(findings.0)
}

/// Takes away what nothing needs and nobody has: content without an image, files and mounts without a row, directories of containers that are gone.
/// What users put there, such as a volume, is never taken.
pub(crate) fn repair(inner: &Inner) -> Result<()> {
    recovery::recover(inner)?;
    garbage::collect(inner)?;
    let store = inner.store()?;
    match store.sweep() {
        // Somebody adds content just now: there will be another time.
        Err(error) if error.kind == store::Kind::Busy => {}
        other => drop(other?),
    }
    let known: BTreeSet<String> = inner
        .db
        .read(|tx| tx.containers())?
        .iter()
        .map(|row| row.id.to_string())
        .collect();
    for name in names(&inner.containers_dir()) {
        if let Ok(id) = name.parse::<ContainerId>()
            && !known.contains(&name)
        {
            // One that is being made has no row yet, and its lock is held.
            let Some(lock) = inner.locks.try_lock(LockKind::Container, &name)? else {
                continue;
            };
            if inner.db.read(|tx| tx.container(&id))?.is_none() {
                rootfs::discard(inner, &id)?;
                truth::clear_run_dir(inner, &id);
            }
            lock.retire();
        }
    }
    Ok(())
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, subject: &str, problem: impl Into<String>) {
        self.0.push(Finding {
            subject: subject.to_owned(),
            problem: problem.into(),
        });
    }
}

/// A container that does not run has no cgroup, and nobody has its root mounted.
fn stopped(inner: &Inner, id: &ContainerId, config: &str, findings: &mut Findings) -> Result<()> {
    let subject = format!("container {id}");
    let parent = Stored::parse(id, config).map(|s| s.host.cgroup_parent);
    let path = inner.cgroup(&parent.unwrap_or_default(), id);
    if Cgroup::open(inner.layout()?, &CgroupPath::parse(&path)?)?.is_some() {
        findings.add(
            &subject,
            format!("it does not run and has the cgroup {path}"),
        );
    }
    if inner
        .locks
        .try_lock(LockKind::Container, &id.to_string())?
        .is_none()
    {
        findings.add(&subject, "its lock is held");
    }
    Ok(())
}

/// Directories are those of containers and volumes that there are.
fn directories(
    inner: &Inner,
    known: &BTreeSet<String>,
    alive: &BTreeSet<String>,
    findings: &mut Findings,
) {
    for name in names(&inner.containers_dir()) {
        if !known.contains(&name) {
            findings.add(
                &format!("directory containers/{name}"),
                "no container has it",
            );
        }
    }
    for name in names(&inner.config.paths.run.join("containers")) {
        if !known.contains(&name) {
            findings.add(&format!("run directory {name}"), "no container has it");
        } else if !alive.contains(&name)
            && !names(&inner.config.paths.run.join("containers").join(&name)).is_empty()
        {
            findings.add(
                &format!("run directory {name}"),
                "its container does not run",
            );
        }
    }
    let volumes = inner.db.read(|tx| tx.volumes()).unwrap_or_default();
    let volumes: BTreeSet<String> = volumes.into_iter().map(|v| v.name).collect();
    for name in names(&inner.volumes_dir()) {
        if !volumes.contains(&name) && !is_empty(&inner.volumes_dir().join(&name)) {
            findings.add(&format!("directory volumes/{name}"), "no volume has it");
        }
    }
    for name in &volumes {
        if !inner.volumes_dir().join(name).exists() {
            findings.add(&format!("volume {name}"), "its directory is missing");
        }
    }
}

/// Every row of a layer or blob has its file, and every file its row.
fn content(inner: &Inner, findings: &mut Findings) -> Result<()> {
    let (layers, blobs, unused_layers, unused_blobs) = inner.db.read(|tx| {
        Ok((
            tx.layers()?,
            tx.blobs()?,
            tx.unused_layers()?,
            tx.unused_blobs()?,
        ))
    })?;
    let root = &inner.config.paths.root;
    let files: BTreeSet<String> = names(&root.join("layers"))
        .into_iter()
        .map(|n| n.strip_suffix(".erofs").map(str::to_owned).unwrap_or(n))
        .collect();
    let rows: BTreeSet<String> = layers.iter().map(|l| l.id.to_string()).collect();
    for id in rows.difference(&files) {
        findings.add(&format!("layer {id}"), "its file is missing");
    }
    for id in files.difference(&rows) {
        findings.add(&format!("file layers/{id}"), "no layer has it");
    }
    for layer in unused_layers {
        findings.add(
            &format!("layer {}", layer.id),
            "no image and no container has it",
        );
    }
    let files: BTreeSet<String> = names(&root.join("blobs/sha256")).into_iter().collect();
    let rows: BTreeSet<String> = blobs.iter().map(|b| b.digest.hex()).collect();
    for hex in rows.difference(&files) {
        findings.add(&format!("blob {hex}"), "its file is missing");
    }
    for hex in files.difference(&rows) {
        findings.add(&format!("file blobs/sha256/{hex}"), "no blob has it");
    }
    for blob in unused_blobs {
        findings.add(&format!("blob {}", blob.digest), "no image has it");
    }
    for name in names(&inner.config.paths.run.join("layers")) {
        if !layers.iter().any(|l| l.id.to_string() == name) {
            findings.add(&format!("mount layers/{name}"), "no layer has it");
        }
    }
    Ok(())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn is_empty(directory: &Path) -> bool {
    names(directory).is_empty()
}
