//! Networks.

use std::collections::BTreeMap;

use crate::container::PortBindings;
use crate::object::Labels;
use crate::time::Time;

object! {
    /// How addresses are given out.
    pub struct Ipam {
        /// `default`.
        pub driver: String = "Driver",
        /// The driver's options.
        pub options: Option<Labels> = "Options",
        /// Its ranges.
        pub config: Option<Vec<IpamConfig>> = "Config",
    }
}

object! {
    /// A range of addresses.
    pub struct IpamConfig {
        /// The network.
        pub subnet: String = "Subnet" omit,
        /// What containers get their address from.
        pub ip_range: String = "IPRange" omit,
        /// The way out.
        pub gateway: String = "Gateway" omit,
        /// Addresses that others use, by name.
        pub aux_addresses: Labels = "AuxiliaryAddresses" omit,
    }
}

object! {
    /// Where a network's configuration comes from.
    pub struct ConfigReference {
        /// A network.
        pub network: String = "Network",
    }
}

object! {
    /// A network.
    pub struct Network {
        /// Its name.
        pub name: String = "Name",
        /// Its id.
        pub id: String = "Id",
        /// When it was made.
        pub created: Time = "Created",
        /// `local`.
        pub scope: String = "Scope",
        /// Its driver.
        pub driver: String = "Driver",
        /// Whether it has IPv4.
        pub enable_ipv4: bool = "EnableIPv4",
        /// Whether it has IPv6.
        pub enable_ipv6: bool = "EnableIPv6",
        /// Its addresses.
        pub ipam: Ipam = "IPAM",
        /// Whether there is no way out.
        pub internal: bool = "Internal",
        /// Whether containers may attach to it by hand.
        pub attachable: bool = "Attachable",
        /// Swarm.
        pub ingress: bool = "Ingress",
        /// Swarm.
        pub config_from: ConfigReference = "ConfigFrom",
        /// Swarm.
        pub config_only: bool = "ConfigOnly",
        /// Who is attached.
        pub containers: BTreeMap<String, EndpointResource> = "Containers",
        /// The driver's options.
        pub options: Labels = "Options",
        /// Data for people and tools.
        pub labels: Labels = "Labels",
    }
}

object! {
    /// What a container has on a network, as the network shows it.
    pub struct EndpointResource {
        /// The container's name.
        pub name: String = "Name",
        /// The end's id.
        pub endpoint_id: String = "EndpointID",
        /// The link's address.
        pub mac_address: String = "MacAddress",
        /// The address with its prefix.
        pub ipv4_address: String = "IPv4Address",
        /// The address with its prefix.
        pub ipv6_address: String = "IPv6Address",
    }
}

object! {
    /// A network to make.
    pub struct NetworkCreateRequest {
        /// Its name.
        pub name: String = "Name",
        /// Its driver.
        pub driver: String = "Driver" omit,
        /// `local`.
        pub scope: String = "Scope" omit,
        /// Whether it has IPv4.
        pub enable_ipv4: Option<bool> = "EnableIPv4" omit,
        /// Whether it has IPv6.
        pub enable_ipv6: Option<bool> = "EnableIPv6" omit,
        /// Its addresses.
        pub ipam: Option<Ipam> = "IPAM" omit,
        /// Whether there is no way out.
        pub internal: bool = "Internal",
        /// Whether containers may attach to it by hand.
        pub attachable: bool = "Attachable",
        /// Swarm.
        pub ingress: bool = "Ingress",
        /// Whether it is a configuration for others.
        pub config_only: bool = "ConfigOnly",
        /// Where its configuration comes from.
        pub config_from: Option<ConfigReference> = "ConfigFrom" omit,
        /// The driver's options.
        pub options: Labels = "Options",
        /// Data for people and tools.
        pub labels: Labels = "Labels",
    }
}

object! {
    /// A network that was made.
    pub struct NetworkCreateResponse {
        /// Its id.
        pub id: String = "Id",
        /// What the user should hear.
        pub warning: String = "Warning",
    }
}

object! {
    /// A container to put on a network.
    pub struct NetworkConnectRequest {
        /// The container.
        pub container: String = "Container",
        /// How.
        pub endpoint_config: Option<EndpointSettings> = "EndpointConfig" omit,
    }
}

object! {
    /// A container to take off a network.
    pub struct NetworkDisconnectRequest {
        /// The container.
        pub container: String = "Container",
        /// Also one that is gone.
        pub force: bool = "Force",
    }
}

object! {
    /// Networks that were removed.
    pub struct NetworkPruneReport {
        /// Their names.
        pub networks_deleted: Option<Vec<String>> = "NetworksDeleted",
    }
}

object! {
    /// A container's end of a network.
    pub struct EndpointSettings {
        /// What addresses were asked for.
        pub ipam_config: Option<EndpointIpam> = "IPAMConfig",
        /// Containers to know by name.
        pub links: Option<Vec<String>> = "Links",
        /// More names.
        pub aliases: Option<Vec<String>> = "Aliases",
        /// The link's address.
        pub mac_address: String = "MacAddress",
        /// The driver's options.
        pub driver_opts: Option<Labels> = "DriverOpts",
        /// Which end gives the way out.
        pub gw_priority: i64 = "GwPriority",
        /// The network's id.
        pub network_id: String = "NetworkID",
        /// The end's id.
        pub endpoint_id: String = "EndpointID",
        /// The way out.
        pub gateway: String = "Gateway",
        /// The address.
        pub ip_address: String = "IPAddress",
        /// Its prefix's length.
        pub ip_prefix_len: i64 = "IPPrefixLen",
        /// The way out.
        pub ipv6_gateway: String = "IPv6Gateway",
        /// The address.
        pub global_ipv6_address: String = "GlobalIPv6Address",
        /// Its prefix's length.
        pub global_ipv6_prefix_len: i64 = "GlobalIPv6PrefixLen",
        /// All names.
        pub dns_names: Option<Vec<String>> = "DNSNames",
    }
}

object! {
    /// What addresses were asked for.
    pub struct EndpointIpam {
        /// An address.
        pub ipv4_address: String = "IPv4Address" omit,
        /// An address.
        pub ipv6_address: String = "IPv6Address" omit,
        /// Addresses of the link.
        pub link_local_ips: Option<Vec<String>> = "LinkLocalIPs" omit,
    }
}

object! {
    /// Ports to publish of a container, or to take back.
    pub struct PortsRequest {
        /// The ports.
        pub port_bindings: PortBindings = "PortBindings",
    }
}

object! {
    /// What became of ports.
    pub struct PortsResponse {
        /// Those that were published or taken back just now.
        pub ports: PortBindings = "Ports",
        /// What the user should hear.
        pub warnings: Vec<String> = "Warnings",
    }
}
