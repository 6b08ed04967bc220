//! What is mounted in a container.

use api::container as wire;
use engine::container::{
    BindOptions, MountKind, MountPoint, MountRequest, TmpfsOptions, VolumeOptions,
};

use crate::error::{Answer, Refusal};

pub(super) fn decode(mount: wire::Mount) -> Answer<MountRequest> {
    let kind = match mount.kind.as_str() {
        "bind" => MountKind::Bind,
        "volume" => MountKind::Volume,
        "tmpfs" => MountKind::Tmpfs,
        "image" => MountKind::Image,
        "npipe" | "cluster" => MountKind::Other,
        other => {
            let text = format!("invalid mount config for type {other:?}: mount type unknown");
            return Err(Refusal::bad(text));
        }
    };
    let tmpfs = mount.tmpfs_options.map(decode_tmpfs).transpose()?;
    Ok(MountRequest {
        kind,
        source: mount.source,
        target: mount.target,
        read_only: mount.read_only,
        consistency: mount.consistency,
        bind: mount.bind_options.map(|options| BindOptions {
            propagation: options.propagation,
            non_recursive: options.non_recursive,
            create_mountpoint: options.create_mountpoint,
            read_only_non_recursive: options.read_only_non_recursive,
            read_only_force_recursive: options.read_only_force_recursive,
        }),
        volume: mount.volume_options.map(decode_volume),
        tmpfs,
    })
}

fn decode_volume(options: wire::VolumeOptions) -> VolumeOptions {
    let driver = options.driver_config.unwrap_or_default();
    VolumeOptions {
        no_copy: options.no_copy,
        labels: options.labels,
        driver: driver.name,
        driver_options: driver.options,
        subpath: options.subpath,
    }
}

fn decode_tmpfs(options: wire::TmpfsOptions) -> Answer<TmpfsOptions> {
    if options.options.is_some_and(|options| !options.is_empty()) {
        return Err(Refusal::unsupported(
            "options of a tmpfs other than size and mode are not supported",
        ));
    }
    Ok(TmpfsOptions {
        size: options.size_bytes,
        mode: options.mode,
    })
}

pub(super) fn encode(mount: MountRequest) -> wire::Mount {
    wire::Mount {
        kind: mount.kind.name().to_owned(),
        source: mount.source,
        target: mount.target,
        read_only: mount.read_only,
        consistency: mount.consistency,
        bind_options: mount.bind.map(|options| wire::BindOptions {
            propagation: options.propagation,
            non_recursive: options.non_recursive,
            create_mountpoint: options.create_mountpoint,
            read_only_non_recursive: options.read_only_non_recursive,
            read_only_force_recursive: options.read_only_force_recursive,
        }),
        volume_options: mount.volume.map(encode_volume),
        image_options: None,
        tmpfs_options: mount.tmpfs.map(|options| wire::TmpfsOptions {
            size_bytes: options.size,
            mode: options.mode,
            options: None,
        }),
    }
}

fn encode_volume(options: VolumeOptions) -> wire::VolumeOptions {
    let driver = wire::VolumeDriver {
        name: options.driver,
        options: options.driver_options,
    };
    wire::VolumeOptions {
        no_copy: options.no_copy,
        labels: options.labels,
        subpath: options.subpath,
        driver_config: Some(driver).filter(|driver| *driver != wire::VolumeDriver::default()),
    }
}

pub(super) fn encode_point(point: MountPoint) -> wire::MountPoint {
    wire::MountPoint {
        kind: point.kind.name().to_owned(),
        name: point.name,
        source: point.source,
        destination: point.destination,
        driver: point.driver,
        mode: point.mode,
        rw: point.rw,
        propagation: point.propagation,
    }
}
