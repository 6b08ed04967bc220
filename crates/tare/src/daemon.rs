//! `tare daemon`: the engine's interface on a unix socket, for as long as wanted.

use crate::error::Outcome;
use crate::settings::Settings;

pub(crate) fn run(_settings: &Settings) -> Outcome {
    Ok(0)
}
