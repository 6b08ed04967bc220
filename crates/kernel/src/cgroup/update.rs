//! Limits of a group that is in use.

use super::directory::enable_all;
use super::{Cgroup, Controller, Layout, Plan, Version};
use crate::Result;

impl Cgroup {
    /// Applies `plan` to the group while it runs, after its controllers are enabled where they were not needed before. What the plan doesn't name
    /// stays as it is.
    ///
    /// # Errors
    /// The first limit that could not be set; those before it stay.
    pub fn update(&self, layout: &Layout, plan: &Plan) -> Result<()> {
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
