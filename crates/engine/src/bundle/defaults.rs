//! What Docker's engine takes for what was not asked for: users see it in the container's description.

use spec::profile;

use super::Facts;
use crate::container::HostConfig;

/// The one runtime, by its program.
pub(crate) const RUNTIME: &str = "tare-runtime";
/// Docker's `/dev/shm`, in bytes.
const SHM_SIZE: i64 = 64 << 20;

/// What was asked for, completed.
pub(crate) fn complete(mut host: HostConfig, facts: &Facts) -> HostConfig {
    let cgroupns = if facts.unified { "private" } else { "host" };
    for (field, default) in [
        (&mut host.ipc_mode, "private"),
        (&mut host.cgroupns_mode, cgroupns),
        (&mut host.runtime, RUNTIME),
    ] {
        if field.is_empty() {
            default.clone_into(field);
        }
    }
    if host.shm_size == 0 {
        host.shm_size = SHM_SIZE;
    }
    if !host.privileged {
        host.masked_paths.get_or_insert_with(|| {
            let fixed = profile::MASKED_PATHS.map(str::to_owned);
            fixed.into_iter().chain(facts.masked.clone()).collect()
        });
        host.readonly_paths
            .get_or_insert_with(|| profile::READONLY_PATHS.map(str::to_owned).to_vec());
    }
    host
}
