//! Other limits for a container that runs.

use kernel::cgroup::{Cgroup, Layout, Plan};
use spec::runtime::Resources;

use crate::error::{Error, Result};
use crate::limits;

/// Applies `resources` to the group of a container; what they don't speak of stays as it is. Rules about devices, if there are any, replace those that
/// were, on version 2 at once; without any, its devices stay too.
///
/// Where one value means something only together with another (memory with swap, a quota with its period), both must be given.
///
/// # Errors
/// A limit can't be had here or is refused by the kernel, or `memory.checkBeforeUpdate` asks not to limit memory below what is used.
pub fn update(group: &Cgroup, layout: &Layout, resources: &Resources) -> Result<()> {
    let plan = Plan::new(&limits::changes(resources)?, layout)?;
    let memory = resources.memory.as_ref();
    let asked = memory.filter(|m| m.check_before_update == Some(true));
    if let Some(limit) = asked.and_then(|m| u64::try_from(m.limit?).ok()) {
        let used = group.stats()?.memory;
        if limit > 0 && limit < used {
            return Err(Error::invalid(
                "set memory limit below what is used:",
                format!("{limit} (current usage: {used})"),
            ));
        }
    }
    Ok(group.update(layout, &plan)?)
}
