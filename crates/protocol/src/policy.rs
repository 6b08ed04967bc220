//! What a monitor does by itself: starting its container again, and looking whether it is well.

use serde::{Deserialize, Serialize};

use crate::Nanos;

/// When the program is started again after its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// Always, until somebody ends it.
    Always,
    /// When it failed.
    OnFailure {
        /// How often at most; 0 is for ever.
        most: u32,
    },
}

/// How it is found out whether the container is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The program that tells, by ending with 0.
    pub args: Vec<String>,
    /// Between two looks.
    pub interval: Nanos,
    /// How long one may take.
    pub timeout: Nanos,
    /// After a start, how long a failure does not count if there was no success yet.
    pub start_period: Nanos,
    /// Between two looks in that time.
    pub start_interval: Nanos,
    /// How many failures in a row make it unwell.
    pub retries: u32,
}
