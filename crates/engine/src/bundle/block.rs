//! Limits of block devices: by path as users name them, by number as the kernel does.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use spec::runtime::{BlockIo, ThrottleDevice, WeightDevice};

use crate::container::{BlockRate, BlockWeight, HostConfig};
use crate::error::{Error, Result};

/// What a container asks for, with the numbers that its devices have now.
pub(crate) fn look_up(host: &HostConfig) -> Result<BlockIo> {
    let weights = host.blkio_weight_device.iter().map(weight);
    Ok(BlockIo {
        weight: (host.blkio_weight != 0).then_some(host.blkio_weight),
        weight_device: weights.collect::<Result<_>>()?,
        throttle_read_bps_device: rates(&host.blkio_read_bps)?,
        throttle_write_bps_device: rates(&host.blkio_write_bps)?,
        throttle_read_iops_device: rates(&host.blkio_read_iops)?,
        throttle_write_iops_device: rates(&host.blkio_write_iops)?,
        ..BlockIo::default()
    })
}

fn weight(asked: &BlockWeight) -> Result<WeightDevice> {
    let (major, minor) = number(&asked.path)?;
    Ok(WeightDevice {
        major,
        minor,
        weight: Some(asked.weight),
        leaf_weight: None,
    })
}

fn rates(asked: &[BlockRate]) -> Result<Vec<ThrottleDevice>> {
    let rate = |asked: &BlockRate| {
        let (major, minor) = number(&asked.path)?;
        Ok(ThrottleDevice {
            major,
            minor,
            rate: asked.rate,
        })
    };
    asked.iter().map(rate).collect()
}

fn number(path: &str) -> Result<(i64, i64)> {
    let failed = |why: String| Error::invalid(format!("limit of block device {path}: {why}"));
    let metadata = std::fs::metadata(path).map_err(|e| failed(e.to_string()))?;
    if !metadata.file_type().is_block_device() {
        return Err(failed("it is no block device".to_owned()));
    }
    Ok((
        rustix::fs::major(metadata.rdev()).into(),
        rustix::fs::minor(metadata.rdev()).into(),
    ))
}
