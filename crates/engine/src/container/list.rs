//! Lists and details of containers.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use spec::ImageId;
use state::ContainerRow;

use super::health::{self, HealthStatus};
use super::lookup;
use super::stored::Stored;
use super::view::{Filters, Inspect, ListRequest, State, Status, Summary};
use crate::bundle;
use crate::disk;
use crate::error::Result;
use crate::image::lookup as images;
use crate::network::view::{Board, Runs};
use crate::network::{DEFAULT, links};
use crate::open::{Inner, lock};
use crate::truth::{self, Now};

pub(crate) fn list(inner: &Inner, request: &ListRequest) -> Result<Vec<Summary>> {
    let (rows, tags) = inner.db.read(|tx| Ok((tx.containers()?, tx.tags()?)))?;
    let names: BTreeMap<String, ImageId> =
        tags.into_iter().map(|t| (t.reference, t.image)).collect();
    let bounds = Bounds::new(inner, &request.filters)?;
    let filters = &request.filters;
    let board = Board::load(inner)?;
    // A filter that asks for a state shows what has it, also what does not run.
    let all = request.all
        || request.limit.is_some()
        || !filters.status.is_empty()
        || !filters.exited.is_empty();
    let mut summaries = Vec::new();
    for row in rows {
        if request.limit.is_some_and(|most| summaries.len() >= most) {
            break;
        }
        if !bounds.admit(&row) {
            continue;
        }
        let now = truth::look(inner, &row)?;
        if matches!(now, Now::Gone) || (!all && !now.is_alive()) {
            continue;
        }
        let stored = Stored::parse(&row.id, &row.config)?;
        let state = State {
            health: health::of(inner, &row.id, &stored.config, &now)?,
            ..now.state()
        };
        let runs = Runs::from(now.is_alive());
        let ends = board.ends(&row, &stored, runs);
        let ports = board.ports(&row, &stored, runs);
        let mut summary = Summary {
            ends,
            ports,
            ..summary(inner, row, stored, state, &names)
        };
        if !admits(filters, &summary) {
            continue;
        }
        if request.size {
            (summary.size_rw, summary.size_root) = sizes(inner, &summary.id)?;
        }
        summaries.push(summary);
    }
    Ok(summaries)
}

fn summary(
    inner: &Inner,
    row: ContainerRow,
    stored: Stored,
    state: State,
    names: &BTreeMap<String, ImageId>,
) -> Summary {
    let volumes = inner.volumes_dir();
    // The name may lead elsewhere by now: then the id says what it is.
    let still =
        images::normal(&stored.config.image).is_none_or(|n| names.get(&n) == Some(&row.image));
    Summary {
        id: row.id,
        name: row.name,
        image: if still {
            stored.config.image.clone()
        } else {
            row.image.to_string()
        },
        image_id: row.image,
        command: stored.args.join(" "),
        created: nanos(row.created_at),
        state,
        labels: stored.config.labels,
        mounts: stored.mounts.iter().map(|m| m.point(&volumes)).collect(),
        network_mode: stored.host.network_mode,
        ends: Vec::new(),
        ports: Vec::new(),
        size_rw: None,
        size_root: None,
    }
}

/// The times between which containers were made that are wanted.
struct Bounds {
    after: Option<i64>,
    before: Option<i64>,
    images: Option<Vec<ImageId>>,
}

impl Bounds {
    fn new(inner: &Inner, filters: &Filters) -> Result<Self> {
        let time = |name: &String| Ok(lookup::find(inner, name)?.created_at);
        let after = filters.since.iter().map(time).collect::<Result<Vec<_>>>()?;
        let before = filters
            .before
            .iter()
            .map(time)
            .collect::<Result<Vec<_>>>()?;
        let images = if filters.ancestor.is_empty() {
            None
        } else {
            // An image that does not exist has no containers.
            let found = filters
                .ancestor
                .iter()
                .map(|name| images::find(inner, name));
            Some(found.flatten().map(|i| i.row.id).collect())
        };
        Ok(Self {
            after: after.into_iter().max(),
            before: before.into_iter().min(),
            images,
        })
    }

    fn admit(&self, row: &ContainerRow) -> bool {
        self.after.is_none_or(|time| row.created_at > time)
            && self.before.is_none_or(|time| row.created_at < time)
            && self
                .images
                .as_ref()
                .is_none_or(|ids| ids.contains(&row.image))
    }
}

/// Whether a container is wanted, by all that can be told from itself.
fn admits(filters: &Filters, summary: &Summary) -> bool {
    let any = |terms: &[String], matches: &dyn Fn(&str) -> bool| {
        terms.is_empty() || terms.iter().any(|t| matches(t))
    };
    let id = summary.id.to_string();
    any(&filters.id, &|term| id.starts_with(term))
        && any(&filters.name, &|term| named(&summary.name, term))
        && filters
            .label
            .iter()
            .all(|term| labelled(&summary.labels, term))
        && (filters.status.is_empty() || filters.status.contains(&summary.state.status))
        && (filters.exited.is_empty()
            || (summary.state.status == Status::Exited
                && filters.exited.contains(&summary.state.exit_code)))
        && (filters.health.is_empty() || filters.health.contains(&health_of(summary)))
        && any(&filters.network, &|term| {
            summary.ends.iter().any(|end| {
                end.network == term
                    || (!end.network_id.is_empty() && end.network_id.starts_with(term))
            })
        })
        && any(&filters.volume, &|term| {
            summary
                .mounts
                .iter()
                .any(|m| m.name == term || m.destination == term || m.source == term)
        })
}

fn health_of(summary: &Summary) -> HealthStatus {
    let health = summary.state.health.as_ref();
    health.map_or(HealthStatus::None, |health| health.status)
}

/// Part of the name; `^` and `$` fasten it to the beginning and the end, where users expect a regular expression.
fn named(name: &str, term: &str) -> bool {
    let term = term.strip_prefix('/').unwrap_or(term);
    let (term, begins) = match term.strip_prefix('^') {
        Some(rest) => (rest.strip_prefix('/').unwrap_or(rest), true),
        None => (term, false),
    };
    match (begins, term.strip_suffix('$')) {
        (true, Some(term)) => name == term,
        (false, Some(term)) => name.ends_with(term),
        (true, None) => name.starts_with(term),
        (false, None) => name.contains(term),
    }
}

/// `key` or `key=value`.
pub(crate) fn labelled(labels: &BTreeMap<String, String>, term: &str) -> bool {
    match term.split_once('=') {
        None => labels.contains_key(term),
        Some((key, value)) => labels.get(key).is_some_and(|v| v == value),
    }
}

pub(super) fn inspect(inner: &Inner, name: &str, size: bool) -> Result<Inspect> {
    let row = lookup::find(inner, name)?;
    let now = truth::look(inner, &row)?;
    if matches!(now, Now::Gone) {
        return Err(lookup::missing(name));
    }
    let stored = Stored::parse(&row.id, &row.config)?;
    let board = Board::of(inner, &row.id)?;
    let runs = Runs::from(now.is_alive());
    let ends = board.ends(&row, &stored, runs);
    let ports = board.ports(&row, &stored, runs);
    let mut host = stored.host.clone();
    if host.network_mode == DEFAULT {
        // By the names that those have now.
        host.links = links::shown(inner, &row)?;
    }
    let directory = inner.container_dir(&row.id);
    let volumes = inner.volumes_dir();
    let (size_rw, size_root) = if size {
        sizes(inner, &row.id)?
    } else {
        (None, None)
    };
    let mut config = stored.config.clone();
    config.hostname = stored.hostname(&row.id);
    let mut args = stored.args.clone();
    let path = if args.is_empty() {
        String::new()
    } else {
        args.remove(0)
    };
    Ok(Inspect {
        id: row.id,
        name: row.name,
        created: nanos(row.created_at),
        path,
        args,
        state: State {
            health: health::of(inner, &row.id, &stored.config, &now)?,
            ..now.state()
        },
        image: row.image,
        os: stored.os,
        mounts: stored.mounts.iter().map(|m| m.point(&volumes)).collect(),
        config,
        ends,
        ports,
        host: bundle::defaults::complete(host, inner.facts()?),
        hostname_path: directory.join("hostname"),
        hosts_path: directory.join("hosts"),
        resolv_conf_path: directory.join("resolv.conf"),
        log_path: directory.join("log"),
        execs: lock(&inner.execs).of(&row.id),
        size_rw,
        size_root,
    })
}

/// The bytes of a container's own files, and those with its image's.
pub(super) fn sizes(inner: &Inner, id: &spec::ContainerId) -> Result<(Option<u64>, Option<u64>)> {
    let own = disk::usage(&inner.container_dir(id).join("upper"))?;
    let layers: u64 = inner.db.read(|tx| {
        let mut sum = 0;
        for layer in tx.container_layers(id)? {
            sum += tx.layer(&layer)?.map_or(0, |row| row.tar_size);
        }
        Ok(sum)
    })?;
    Ok((Some(own), Some(own + layers)))
}

/// A time as the database keeps it.
pub(crate) fn nanos(value: i64) -> Timestamp {
    Timestamp::from_nanosecond(value.into()).unwrap_or_default()
}
