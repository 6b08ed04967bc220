//! Images.

use api::Time;
use api::container::{Healthcheck, Words};
use api::image as wire;
use engine::image::{ImageInspect, ImageSummary};
use spec::image::Config;

use super::bytes;
use crate::request::Speaks;
use crate::system::DRIVER;

/// What old clients expect where there is no tag.
const NO_TAG: &str = "<none>:<none>";
const NO_DIGEST: &str = "<none>@<none>";

pub(crate) fn summary(image: ImageSummary, speaks: Speaks) -> wire::ImageSummary {
    let mut repo_tags = image.tags;
    let mut repo_digests = image.digests;
    if speaks.before(43) && repo_tags.is_empty() {
        repo_tags.push(NO_TAG.to_owned());
        if repo_digests.is_empty() {
            repo_digests.push(NO_DIGEST.to_owned());
        }
    }
    let size = bytes(image.size);
    wire::ImageSummary {
        // As in Docker: only asked for by others.
        containers: -1,
        created: image.created.map_or(0, jiff::Timestamp::as_second),
        id: image.id.to_string(),
        labels: (!image.labels.is_empty()).then_some(image.labels),
        parent_id: String::new(),
        repo_digests,
        repo_tags,
        shared_size: -1,
        size,
        virtual_size: speaks.before(44).then_some(size),
    }
}

pub(crate) fn inspect(image: ImageInspect, speaks: Speaks) -> wire::ImageInspect {
    let size = bytes(image.size);
    let document = image.config;
    let comment = document
        .history
        .last()
        .and_then(|step| step.comment.clone());
    wire::ImageInspect {
        id: image.id.to_string(),
        repo_tags: image.tags,
        repo_digests: image.digests,
        comment: comment.unwrap_or_default(),
        created: document
            .created
            .as_ref()
            .and_then(|time| time.parse().ok())
            .map(|time| Time(Some(time))),
        author: document.author.unwrap_or_default(),
        config: Some(config(document.config)),
        architecture: document.architecture,
        variant: document.variant.unwrap_or_default(),
        os: document.os,
        os_version: document.os_version.unwrap_or_default(),
        size,
        virtual_size: speaks.before(44).then_some(size),
        graph_driver: wire::DriverData {
            data: None,
            name: DRIVER.to_owned(),
        },
        root_fs: wire::RootFs {
            kind: "layers".to_owned(),
            layers: image.layers.iter().map(ToString::to_string).collect(),
        },
        metadata: wire::ImageMetadata {
            last_tag_time: Time(image.last_tagged),
        },
        ..wire::ImageInspect::default()
    }
}

fn config(config: Config) -> wire::ImageConfig {
    let healthcheck = config.healthcheck.map(|check| Healthcheck {
        test: check.test,
        interval: check.interval.unwrap_or_default(),
        timeout: check.timeout.unwrap_or_default(),
        start_period: check.start_period.unwrap_or_default(),
        start_interval: check.start_interval.unwrap_or_default(),
        retries: check.retries.unwrap_or_default(),
    });
    wire::ImageConfig {
        user: config.user,
        exposed_ports: config
            .exposed_ports
            .into_keys()
            .map(|key| (key, api::Empty))
            .collect(),
        env: Some(config.env),
        entrypoint: config.entrypoint.map(Words),
        cmd: config.cmd.map(Words),
        healthcheck,
        args_escaped: config.args_escaped.unwrap_or_default(),
        volumes: config
            .volumes
            .into_keys()
            .map(|key| (key, api::Empty))
            .collect(),
        working_dir: config.working_dir,
        on_build: config.on_build,
        labels: config.labels,
        stop_signal: config.stop_signal.unwrap_or_default(),
        shell: config.shell,
    }
}

#[cfg(test)]
mod tests;
