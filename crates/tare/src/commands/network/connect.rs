use crate::cx::Cx;
use crate::error::Outcome;
use crate::flag;
use api::network::{EndpointIpam, EndpointSettings, NetworkConnectRequest};

/// Connect a container to a network
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Add network-scoped alias for the container
    #[arg(long, value_name = "strings", value_delimiter = ',')]
    alias: Vec<String>,
    /// driver options for the network
    #[arg(long, value_name = "strings", value_parser = flag::pair)]
    driver_opt: Vec<(String, String)>,
    /// Highest gw-priority provides the default gateway. Accepts positive and negative values.
    #[arg(long, value_name = "int", allow_negative_numbers = true)]
    gw_priority: Option<i64>,
    /// IPv4 address (e.g., "172.30.100.104")
    #[arg(long, value_name = "string")]
    ip: Option<String>,
    /// IPv6 address (e.g., "2001:db8::33")
    #[arg(long, value_name = "string")]
    ip6: Option<String>,
    /// Add link to another container
    #[arg(long, value_name = "list")]
    link: Vec<String>,
    /// Add a link-local address for the container
    #[arg(long, value_name = "strings", value_delimiter = ',')]
    link_local_ip: Vec<String>,
    #[arg(required = true, hide = true)]
    network: String,
    #[arg(required = true, hide = true)]
    container: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let list = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let addresses = EndpointIpam {
        ipv4_address: args.ip.unwrap_or_default(),
        ipv6_address: args.ip6.unwrap_or_default(),
        link_local_ips: list(args.link_local_ip),
    };
    let options = args.driver_opt;
    let request = NetworkConnectRequest {
        container: args.container,
        endpoint_config: Some(EndpointSettings {
            ipam_config: Some(addresses),
            links: list(args.link),
            aliases: list(args.alias),
            driver_opts: (!options.is_empty()).then(|| options.into_iter().collect()),
            gw_priority: args.gw_priority.unwrap_or_default(),
            ..EndpointSettings::default()
        }),
    };
    let client = cx.client().await?;
    client.networks().connect(&args.network, &request).await?;
    Ok(0)
}
