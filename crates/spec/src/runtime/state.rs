//! What a runtime says about a container: to its caller and to hooks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The state of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The version of the specification.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// Where it is in its life.
    pub status: Status,
    /// Its first process, as the host numbers it; 0 when there is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pid: i32,
    /// The directory with its configuration.
    pub bundle: String,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is being made.
    Creating,
    /// It waits for its start.
    Created,
    /// Its program runs.
    Running,
    /// Its program is frozen.
    Paused,
    /// Its program ended.
    Stopped,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &i32) -> bool {
    *value == 0
}

/// What a seccomp listener is told with the descriptors that it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerProcessState {
    /// The version of the specification.
    pub oci_version: String,
    /// What each descriptor is: `seccompFd`.
    pub fds: Vec<String>,
    /// The process that is filtered, as the host numbers it.
    pub pid: i32,
    /// Whatever the configuration has for the listener.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    /// Its container.
    pub state: State,
}
