//! Making a container: everything is checked, its volumes are made, then one row is written. Its directory comes with its
//! first start, so that there is nothing to undo.

use failpoint::failpoint;
use spec::{ContainerId, Name, Platform};
use state::ContainerRow;

use super::HostConfig;
use super::check::{self, Machine};
use super::lookup;
use super::merge;
use super::mounts;
use super::names;
use super::stored::{Stored, StoredMount};
use super::{CreateRequest, Created};
use crate::bundle;
use crate::error::{Error, Result};
use crate::event::Happened;
use crate::image::lookup as images;
use crate::network::{links, request};
use crate::network_files;
use crate::open::{Engine, Inner};
use crate::volume;

/// What the transaction that makes a container found.
enum Outcome {
    Made,
    Taken(ContainerId),
    NoImage,
}

pub(super) fn create(engine: &Engine, request: CreateRequest) -> Result<Created> {
    let inner = &*engine.0;
    let CreateRequest {
        name,
        platform,
        config,
        mut host,
        networks,
    } = request;
    let name = name
        .filter(|n| !n.is_empty())
        .map(|n| Name::of_container(&n))
        .transpose()?;
    let image = images::find(inner, &config.image)?;
    let parsed = spec::image::ImageConfig::parse(image.row.config.as_bytes())?;
    let mut warnings = check_platform(platform.as_ref(), &parsed.platform(), &config.image)?;
    let reference = config.image.clone();
    let mut config = merge::with_image(config, &parsed.config);
    let args = merge::program(&config)?;
    check::check(&config, &mut host, machine())?;
    network_files::check(&host)?;
    let (networks, vain) = request::settle(inner, &mut config, &mut host, networks)?;
    warnings.extend(vain);
    let links = links::plan(inner, &host)?;
    let plan = mounts::plan_with(&config, &host, inherited(inner, &host)?)?;
    let mut stored = Stored {
        v: Stored::VERSION,
        config,
        host,
        args,
        mounts: plan,
        os: parsed.os.clone(),
        networks,
    };
    bundle::validate(&stored)?;
    let id = inner.spare.next_id()?;
    let made_up = name.is_none();
    let name = match name {
        Some(name) => {
            // Before volumes are made for nothing; the transaction decides.
            if let Some(other) = inner.db.read(|tx| tx.container_by_name(name.as_str()))? {
                return Err(taken(name.as_str(), &other.id));
            }
            name.as_str().to_owned()
        }
        None => names::free(|n| Ok(inner.db.read(|tx| tx.container_by_name(n))?.is_some()))?,
    };
    let layers = inner.db.read(|tx| tx.image_layers(&image.row.id))?;
    let volumes = volume::provide(inner, &mut stored.mounts, &layers)?;
    failpoint!("container.create.volumes");
    let mut row = ContainerRow {
        id,
        name,
        image: image.row.id,
        auto_remove: stored.host.auto_remove,
        config: stored.to_json()?,
        created_at: inner.nanos(),
    };
    let names = stored.volumes();
    let outcome = inner.db.write(|tx| {
        while let Some(other) = tx.container_by_name(&row.name)? {
            let unlikely = names::unlikely(&row.id);
            if !made_up || row.name == unlikely {
                return Ok(Outcome::Taken(other.id));
            }
            // Another has made up the same name since it was looked for.
            row.name = unlikely;
        }
        // From here on the container keeps the layers, whatever becomes of the image.
        if tx.image(&row.image)?.is_none() {
            return Ok(Outcome::NoImage);
        }
        tx.add_container(&row, &layers, &names)?;
        for (alias, target) in &links {
            tx.put_link(&row.id, alias, target)?;
        }
        volumes.done(tx)?;
        Ok(Outcome::Made)
    });
    match outcome {
        Ok(Outcome::Made) => {}
        Ok(Outcome::Taken(other)) => {
            volumes.undo(inner);
            return Err(taken(&row.name, &other));
        }
        Ok(Outcome::NoImage) => {
            volumes.undo(inner);
            return Err(images::missing(&reference));
        }
        Err(error) => {
            volumes.undo(inner);
            return Err(error.into());
        }
    }
    failpoint!("container.create.after_row");
    inner.record(Happened::to_container(&row, "create"));
    Ok(Created { id, warnings })
}

/// What is mounted in the containers whose volumes it gets too.
fn inherited(inner: &Inner, host: &HostConfig) -> Result<Vec<StoredMount>> {
    let mut all = Vec::new();
    for text in &host.volumes_from {
        let (name, read_only) = mounts::from(text)?;
        let other = lookup::find(inner, name)?;
        let stored = Stored::parse(&other.id, &other.config)?;
        all.extend(mounts::inherited(stored.mounts, read_only));
    }
    Ok(all)
}

/// Whether a volume may have to be filled.
pub(super) fn needs_time(request: &CreateRequest) -> bool {
    !(request.host.binds.is_empty()
        && request.host.mounts.is_empty()
        && request.config.volumes.is_empty())
}

pub(super) fn taken(name: &str, by: &ContainerId) -> Error {
    Error::conflict(format!(
        "Conflict. The container name \"/{name}\" is already in use by container \"{by}\". \
         You have to remove (or rename) that container to be able to reuse that name."
    ))
}

pub(super) fn machine() -> Machine {
    Machine {
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        unified: bundle::facts::is_unified(),
        realtime: std::path::Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists(),
    }
}

fn check_platform(wanted: Option<&Platform>, image: &Platform, name: &str) -> Result<Vec<String>> {
    if let Some(wanted) = wanted
        && wanted.runs(image).is_none()
    {
        return Err(Error::not_found(format!(
            "image with reference {name} was found but its platform ({image}) does not match the specified platform ({wanted})"
        )));
    }
    let host = Platform::host();
    if wanted.is_none() && host.runs(image).is_none() && !image.architecture.is_empty() {
        return Ok(vec![format!(
            "The requested image's platform ({image}) does not match the detected host platform ({host}) and no specific platform was requested"
        )]);
    }
    Ok(Vec::new())
}
