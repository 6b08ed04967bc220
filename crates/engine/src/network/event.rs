//! What is said when something happens to a network.

use ::network::Network;
use spec::ContainerId;

use crate::event::{Happened, Subject};
use crate::open::Inner;

/// Something that happened to a network.
pub(super) fn happened(network: &Network, action: &str) -> Happened {
    Happened::to(Subject::Network, action, &network.id)
        .with("name", &network.name)
        .with("type", network.driver.name())
}

/// A container came (`connect`) or went (`disconnect`).
pub(super) fn moved(inner: &Inner, network: &Network, container: &ContainerId, action: &str) {
    inner.record(happened(network, action).with("container", container));
}
