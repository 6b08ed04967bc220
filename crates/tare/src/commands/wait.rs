use crate::cx::Cx;
use crate::error::Outcome;
use crate::output;
use client::WaitCondition;

/// Block until one or more containers stop, then print their exit codes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(required = true, hide = true)]
    containers: Vec<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    cx.each_quietly(&args.containers, async |name| {
        let ended = client
            .containers()
            .wait(name, WaitCondition::NotRunning)
            .await?
            .exit()
            .await?;
        output::line(&ended.status_code.to_string())
    })
    .await
}
