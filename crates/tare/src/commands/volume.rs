//! Volumes.

pub(crate) mod create;
pub(crate) mod ls;
pub(crate) mod rm;
