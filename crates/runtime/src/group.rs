//! The cgroup of a container whose processes are made elsewhere.

use kernel::cgroup::{Cgroup, CgroupPath, Layout, Plan};
use spec::runtime::Spec;

use crate::error::Result;
use crate::limits;

/// Makes the cgroup at `path` below each hierarchy, with the limits and device rules of `spec`; as [`crate::create`] does, for a container that is
/// restored by another program.
///
/// # Errors
/// A limit can't be had here, or the kernel refused.
pub fn make_group(spec: &Spec, layout: &Layout, path: &str) -> Result<Cgroup> {
    let resources = spec.linux.as_ref().and_then(|l| l.resources.as_ref());
    let plan = Plan::new(&limits::resources(resources)?, layout)?;
    Ok(Cgroup::create(layout, &CgroupPath::parse(path)?, &plan)?)
}
