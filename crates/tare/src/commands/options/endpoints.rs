//! From `--network` and the flags about a container's ends to what is asked of the engine.

use super::network;
use crate::error::{Error, Result};
use crate::flag::NetworkSpec;
use api::container::CreateRequest;
use api::network::{EndpointIpam, EndpointSettings};

/// The networks that the flags name. Flags without a network are about the first one.
pub(super) fn networks(options: &network::Options, request: &mut CreateRequest) -> Result<()> {
    let mut specs = options.network.clone();
    let flag = options.endpoint_flag();
    if let Some(first) = specs.first().filter(|first| first.is_long) {
        contradicts(options, first)?;
    }
    if let Some(first) = specs.first() {
        first.name.clone_into(&mut request.host_config.network_mode);
    }
    if specs.is_empty() {
        specs.push(NetworkSpec {
            name: "default".to_owned(),
            ..NetworkSpec::default()
        });
    }
    if let (Some(flag), Some(first)) = (flag, specs.first_mut()) {
        if matches!(first.name.as_str(), "none" | "host") || first.name.starts_with("container:") {
            return Err(vain(flag, &first.name));
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        first.aliases.extend(options.network_alias.iter().cloned());
        first
            .link_local
            .extend(options.link_local_ip.iter().cloned());
        if options.ip.is_some() {
            first.ip = text(&options.ip);
        }
        if options.ip6.is_some() {
            first.ip6 = text(&options.ip6);
        }
    }
    let several = specs.len() > 1;
    for (number, spec) in specs.iter().enumerate() {
        let alone =
            matches!(spec.name.as_str(), "none" | "host") || spec.name.starts_with("container:");
        if several && alone {
            return Err(Error::usage(format!(
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes: {}",
                spec.name
            )));
        }
        let settings = settings(spec);
        if alone && settings == EndpointSettings::default() {
            continue;
        }
        let networks = &mut request.networking_config.endpoints_config;
        if number == 0 && !several && settings == EndpointSettings::default() {
            // The mode says it all.
            continue;
        }
        if networks.insert(spec.name.clone(), Some(settings)).is_some() {
            return Err(Error::usage(format!(
                "network {:?} is specified multiple times",
                spec.name
            )));
        }
    }
    Ok(())
}

fn vain(flag: &str, network: &str) -> Error {
    Error::usage(format!("{flag} has no meaning with --network {network}"))
}

/// What a network says of itself and a flag says again.
fn contradicts(options: &network::Options, first: &NetworkSpec) -> Result<()> {
    let twice = [
        (
            "--network-alias",
            "alias",
            !options.network_alias.is_empty() && !first.aliases.is_empty(),
        ),
        (
            "--ip",
            "IPv4 address",
            options.ip.is_some() && !first.ip.is_empty(),
        ),
        (
            "--ip6",
            "IPv6 address",
            options.ip6.is_some() && !first.ip6.is_empty(),
        ),
        (
            "--link-local-ip",
            "link-local IP addresses",
            !options.link_local_ip.is_empty() && !first.link_local.is_empty(),
        ),
    ];
    match twice.iter().find(|(_, _, both)| *both) {
        Some((flag, what, _)) => Err(Error::usage(format!(
            "conflicting options: cannot specify both {flag} and per-network {what}"
        ))),
        None => Ok(()),
    }
}

fn settings(spec: &NetworkSpec) -> EndpointSettings {
    let list = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let address = EndpointIpam {
        ipv4_address: spec.ip.clone(),
        ipv6_address: spec.ip6.clone(),
        link_local_ips: list(&spec.link_local),
    };
    EndpointSettings {
        ipam_config: (address != EndpointIpam::default()).then_some(address),
        aliases: list(&spec.aliases),
        mac_address: spec.mac.clone(),
        driver_opts: (!spec.driver_options.is_empty())
            .then(|| spec.driver_options.iter().cloned().collect()),
        gw_priority: spec.gateway_priority,
        ..EndpointSettings::default()
    }
}
