//! What monitors and units run: engine calls without a client.

use crate::error::Outcome;
use crate::settings::Settings;

pub(crate) fn remove(_settings: &Settings, _id: &str) -> Outcome {
    Ok(0)
}

pub(crate) fn check(_settings: &Settings) -> Outcome {
    Ok(0)
}

pub(crate) fn boot(_settings: &Settings) -> Outcome {
    Ok(0)
}
