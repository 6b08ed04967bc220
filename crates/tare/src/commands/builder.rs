//! What has to do with builds beside building.

pub(super) mod prune;
