//! The engine as a whole.

pub(crate) mod check;
pub(crate) mod df;
pub(crate) mod prune;
mod usage;
