//! Mounts of a container. Read `options` and `plan` first (pure), then `root` (where they go), `apply` and `mask`.

mod apply;
mod copyup;
mod mask;
mod options;
mod plan;
mod root;
#[cfg(test)]
mod tests;

pub(crate) use apply::{apply, bits, open_bind, recursive};
pub(crate) use mask::{Masks, read_only};
pub(crate) use options::attr::RDONLY;
pub(crate) use options::known as known_options;
pub(crate) use plan::{Dev, Plan, Step, What, clean, plan};
pub use root::Root;
pub(crate) use root::{RootPlan, open as open_root};
