//! A shell where a step failed.

use super::super::run;
use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::{output, terminal};
use clap::{Args as _, Command, FromArgMatches as _};

/// Runs a shell in the image of a failed step, which goes afterwards. The build has failed all the same.
pub(super) async fn open(cx: &Cx, image: &str) -> Outcome {
    let mut words = vec!["--rm", "-i"];
    if terminal::input() {
        words.push("-t");
        output::say("the step's file system, in a shell of its own; leave it with exit");
    }
    words.push(image);
    let bare = Command::new("tare")
        .no_binary_name(true)
        .disable_help_flag(true);
    let grammar = run::Args::augment_args(bare);
    let parsed = grammar
        .try_get_matches_from(words)
        .and_then(|mut matches| run::Args::from_arg_matches_mut(&mut matches))
        .map_err(|why| Error::local(why.to_string()))?;
    let ran = run::run(parsed, cx).await;
    let removed = cx.client().await?.images().remove(image, true, false).await;
    ran?;
    removed?;
    Ok(1)
}
