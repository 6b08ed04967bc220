//! How the container is reached and named.

use crate::flag;

/// Flags about networks, ports and names.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Connect a container to a network
    #[arg(long, visible_alias = "net", value_name = "network", value_parser = flag::network)]
    pub(crate) network: Vec<flag::NetworkSpec>,
    /// Add network-scoped alias for the container
    #[arg(long, alias = "net-alias", value_name = "list")]
    pub(crate) network_alias: Vec<String>,
    /// Publish a container's port(s) to the host
    #[arg(short, long, value_name = "list", value_parser = publish)]
    pub(crate) publish: Vec<PublishedPorts>,
    /// Publish all exposed ports to random ports
    #[arg(short = 'P', long)]
    pub(crate) publish_all: bool,
    /// Expose a port or a range of ports
    #[arg(long, value_name = "list", value_parser = expose)]
    pub(crate) expose: Vec<ExposedPorts>,
    /// Add link to another container
    #[arg(long, value_name = "list")]
    pub(crate) link: Vec<String>,
    /// Container host name
    #[arg(short = 'h', long, value_name = "string")]
    pub(crate) hostname: Option<String>,
    /// Container NIS domain name
    #[arg(long, value_name = "string")]
    pub(crate) domainname: Option<String>,
    /// Add a custom host-to-IP mapping (host:ip)
    #[arg(long, value_name = "list", value_parser = flag::host_entry)]
    pub(crate) add_host: Vec<String>,
    /// Set custom DNS servers
    #[arg(long, value_name = "list")]
    pub(crate) dns: Vec<String>,
    /// Set DNS options
    #[arg(long, alias = "dns-opt", value_name = "list")]
    pub(crate) dns_option: Vec<String>,
    /// Set custom DNS search domains
    #[arg(long, value_name = "list")]
    pub(crate) dns_search: Vec<String>,
    /// IPv4 address (e.g., 172.30.100.104)
    #[arg(long, value_name = "string")]
    pub(crate) ip: Option<String>,
    /// IPv6 address (e.g., 2001:db8::33)
    #[arg(long, value_name = "string")]
    pub(crate) ip6: Option<String>,
    /// Container IPv4/IPv6 link-local addresses
    #[arg(long, value_name = "list")]
    pub(crate) link_local_ip: Vec<String>,
    /// Container MAC address (e.g., 92:d0:c6:0a:29:33)
    #[arg(long, value_name = "string")]
    pub(crate) mac_address: Option<String>,
}

/// The ports of one `--publish`: a range gives several.
#[derive(Debug, Clone)]
pub(crate) struct PublishedPorts(pub(crate) Vec<flag::Published>);

/// The ports of one `--expose`.
#[derive(Debug, Clone)]
pub(crate) struct ExposedPorts(pub(crate) Vec<String>);

pub(crate) fn publish(text: &str) -> Result<PublishedPorts, String> {
    flag::publish(text).map(PublishedPorts)
}

fn expose(text: &str) -> Result<ExposedPorts, String> {
    flag::exposed(text).map(ExposedPorts)
}

impl Options {
    /// A flag that says something about the container's end of a network, if one was given.
    pub(crate) fn endpoint_flag(&self) -> Option<&'static str> {
        match () {
            () if !self.network_alias.is_empty() => Some("--network-alias"),
            () if self.ip.is_some() => Some("--ip"),
            () if self.ip6.is_some() => Some("--ip6"),
            () if !self.link_local_ip.is_empty() => Some("--link-local-ip"),
            () => None,
        }
    }
}
