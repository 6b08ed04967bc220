use crate::error::{Error, Outcome};
use crate::internal;
use crate::settings::Settings;

/// What Tare's own processes and units run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(required = true, hide = true)]
    words: Vec<String>,
}

pub(crate) fn run(args: Args, settings: &Settings) -> Outcome {
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["remove", id] => internal::remove(settings, id),
        ["leave", id] => internal::leave(settings, id),
        ["sweep"] => internal::sweep(settings),
        ["network", "apply"] => internal::apply(settings),
        ["check"] => internal::check(settings),
        ["boot"] => internal::boot(settings),
        _ => Err(Error::usage(format!(
            "internal {}: remove ID, leave ID, sweep, network apply, check or boot",
            words.join(" ")
        ))),
    }
}
