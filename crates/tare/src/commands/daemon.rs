use crate::daemon;
use crate::error::Outcome;
use crate::settings::Settings;

/// Serve the Engine API on a unix socket
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args, settings: &Settings) -> Outcome {
    daemon::run(settings)
}
