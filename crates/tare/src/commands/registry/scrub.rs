use std::time::Duration;

use crate::error::Outcome;
use crate::output;
use crate::registry::{self as door, Damaged, Place};
use crate::settings::Settings;

/// Compare every blob of a registry with its digest
///
/// Exits with 1 if one is damaged.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directory or bucket of the registry, instead of the engine's store
    #[arg(long, value_name = "place")]
    storage: Option<String>,
    /// Remove what is damaged, so that the next push brings it back
    #[arg(long)]
    remove: bool,
}

pub(crate) fn run(args: Args, settings: &Settings) -> Outcome {
    let place = Place::parse(args.storage.as_deref())?;
    let damaged = match args.remove {
        true => Damaged::Remove,
        false => Damaged::Report,
    };
    door::with_server(&place, Duration::MAX, settings, |server| async move {
        let found = server.scrub(damaged).await?;
        output::say(&format!(
            "{} blobs, {} bytes, {} damaged",
            found.blobs,
            found.bytes,
            found.damaged.len()
        ));
        Ok(u8::from(!found.damaged.is_empty()))
    })
}
