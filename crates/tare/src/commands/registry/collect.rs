use std::time::Duration;

use super::span;
use crate::error::Outcome;
use crate::output;
use crate::registry::{self as door, Place, Retention};
use crate::settings::Settings;

/// Take away what nobody needs, also while a registry serves
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directory or bucket of the registry, instead of the engine's store
    #[arg(long, value_name = "place")]
    storage: Option<String>,
    /// How long what nobody refers to is kept; pushes under way must be shorter
    #[arg(long, value_name = "time", value_parser = span, default_value = "24h")]
    lease: Duration,
    /// How long manifests without a tag are kept (default: always)
    #[arg(long, value_name = "time", value_parser = span)]
    untagged: Option<Duration>,
}

pub(crate) fn run(args: Args, settings: &Settings) -> Outcome {
    let place = Place::parse(args.storage.as_deref())?;
    let untagged = args.untagged;
    door::with_server(&place, args.lease, settings, |server| async move {
        server.expire().await?;
        let gone = server.collect(Retention { untagged }).await?;
        output::say(&format!(
            "{} manifests, {} blobs, {} bytes",
            gone.manifests, gone.blobs, gone.bytes
        ));
        Ok(0)
    })
}
