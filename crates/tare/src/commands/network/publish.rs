use super::super::options::network::{PublishedPorts, publish};
use super::super::port;
use crate::cx::Cx;
use crate::error::Outcome;
use crate::output;
use api::container::{PortBinding, PortBindings};
use api::network::PortsRequest;

/// Publish more ports of a container, running or not
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Publish a container's port(s) to the host
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
    let done = client.networks().publish(&args.container, &request).await?;
    for warning in &done.warnings {
        output::say(&format!("WARNING: {warning}"));
    }
    port::show(&done.ports)?;
    Ok(0)
}

/// Ports by `80/tcp`.
pub(super) fn bindings(flags: Vec<PublishedPorts>) -> PortBindings {
    let mut all = PortBindings::new();
    for port in flags.into_iter().flat_map(|flag| flag.0) {
        let binding = PortBinding {
            host_ip: port.host_ip,
            host_port: port.host_port,
        };
        all.entry(port.port)
            .or_default()
            .get_or_insert_default()
            .push(binding);
    }
    all
}
