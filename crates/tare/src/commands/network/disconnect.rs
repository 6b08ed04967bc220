use crate::cx::Cx;
use crate::error::Outcome;
use api::network::NetworkDisconnectRequest;

/// Disconnect a container from a network
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Force the container to disconnect from a network
    #[arg(short, long)]
    force: bool,
    #[arg(required = true, hide = true)]
    network: String,
    #[arg(required = true, hide = true)]
    container: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let request = NetworkDisconnectRequest {
        container: args.container,
        force: args.force,
    };
    let client = cx.client().await?;
    client
        .networks()
        .disconnect(&args.network, &request)
        .await?;
    Ok(0)
}
