use super::super::options::network::{PublishedPorts, publish};
use super::super::port;
use super::publish::bindings;
use crate::cx::Cx;
use crate::error::Outcome;
use api::network::PortsRequest;

/// Take published ports of a container back, running or not
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The port(s), as they were published: without the host's, all that lead there
    #[arg(short, long, value_name = "list", required = true, value_parser = publish)]
    publish: Vec<PublishedPorts>,
    #[arg(required = true, hide = true)]
    container: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let request = PortsRequest {
        port_bindings: bindings(args.publish),
    };
    let client = cx.client().await?;
    let networks = client.networks();
    let done = networks.unpublish(&args.container, &request).await?;
    port::show(&done.ports)?;
    Ok(0)
}
