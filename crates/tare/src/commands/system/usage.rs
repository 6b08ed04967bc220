//! What `system df` counts. Pure.

use api::container::ContainerSummary;
use api::usage::DiskUsage;

/// A line of `system df`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: &'static str,
    pub(super) total: usize,
    pub(super) active: usize,
    pub(super) size: i64,
    pub(super) reclaimable: i64,
}

/// Whether a container holds on to what it uses.
pub(super) fn is_active(container: &ContainerSummary) -> bool {
    ["running", "paused", "restarting"].contains(&container.state.as_str())
}

/// The four lines.
pub(super) fn lines(usage: &DiskUsage) -> [Line; 4] {
    let images = usage.images.as_deref().unwrap_or_default();
    let used: i64 = images
        .iter()
        .filter(|image| image.containers > 0)
        .map(|image| image.size - image.shared_size)
        .sum();
    let containers = usage.containers.as_deref().unwrap_or_default();
    let size = |active: bool| -> i64 {
        let some = containers.iter().filter(|c| is_active(c) == active);
        some.map(|c| c.size_rw.unwrap_or_default()).sum()
    };
    let volumes = usage.volumes.as_deref().unwrap_or_default();
    let volume = |used: bool| -> i64 {
        let data = volumes.iter().filter_map(|volume| volume.usage.as_ref());
        data.filter(|data| (data.ref_count > 0) == used)
            .map(|data| data.size)
            .sum()
    };
    let caches = usage.build_cache.as_deref().unwrap_or_default();
    let cached: i64 = caches.iter().map(|cache| cache.size).sum();
    let in_use: i64 = caches.iter().filter(|c| c.in_use).map(|c| c.size).sum();
    [
        Line {
            kind: "Images",
            total: images.len(),
            active: images.iter().filter(|image| image.containers > 0).count(),
            size: usage.layers_size,
            reclaimable: usage.layers_size - used,
        },
        Line {
            kind: "Containers",
            total: containers.len(),
            active: containers.iter().filter(|c| is_active(c)).count(),
            size: size(true) + size(false),
            reclaimable: size(false),
        },
        Line {
            kind: "Local Volumes",
            total: volumes.len(),
            active: volumes
                .iter()
                .filter(|v| v.usage.as_ref().is_some_and(|data| data.ref_count > 0))
                .count(),
            size: volume(true) + volume(false),
            reclaimable: volume(false),
        },
        Line {
            kind: "Build Cache",
            total: caches.len(),
            active: caches.iter().filter(|cache| cache.in_use).count(),
            size: cached,
            reclaimable: cached - in_use,
        },
    ]
}
