//! Networks.

pub(crate) mod connect;
pub(crate) mod create;
pub(crate) mod disconnect;
pub(crate) mod ls;
pub(crate) mod prune;
pub(crate) mod publish;
pub(crate) mod rm;
pub(crate) mod unpublish;
