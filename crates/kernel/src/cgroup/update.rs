//! Limits of a group that is in use.

use std::io;

use super::directory::enable_all;
use super::{Cgroup, Controller, Layout, Plan, Version};
use crate::{Error, Result};

impl Cgroup {
    /// Applies `plan` to the group while it runs, after its controllers are enabled where they were not needed before. What the plan doesn't name
    /// stays as it is.
    ///
    /// # Errors
    /// The first limit that could not be set; those before it stay. Or the memory in use is above the new limit, and the plan asks for that to be
    /// looked at: then nothing is changed.
    pub fn update(&self, layout: &Layout, plan: &Plan) -> Result<()> {
        if let Some(limit) = plan.memory_check {
            let used = self.stats()?.memory;
            if used > limit {
                let why = format!("{used} bytes are in use");
                return Err(Error::new(
                    "lower memory limit of cgroup",
                    self.path(),
                    io::Error::new(io::ErrorKind::InvalidInput, why),
                ));
            }
        }
        let missing = |controller: &Controller| self.version_of(*controller) == Some(Version::V2);
        let required: Vec<Controller> = plan
            .controllers
            .iter()
            .copied()
            .filter(missing)
            .filter(|it| *it != Controller::Freezer)
            .collect();
        if !required.is_empty()
            && let Some(unified) = layout.unified()
        {
            enable_all(unified, self.path(), &required)?;
        }
        self.apply(plan)
    }
}
