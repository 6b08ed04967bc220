use crate::cx::Cx;
use crate::error::{Error, Outcome, Result};
use crate::output;
use api::container::{PortBinding, PortBindings};

/// List port mappings or a specific mapping for the container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(required = true, hide = true)]
    container: String,
    #[arg(hide = true)]
    port: Option<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let client = cx.client().await?;
    let inspected = client.containers().inspect(&args.container).await?;
    let ports = inspected.network_settings.ports;
    if let Some(wanted) = &args.port {
        let key = if wanted.contains('/') {
            wanted.clone()
        } else {
            format!("{wanted}/tcp")
        };
        let bindings = ports.get(&key).cloned().flatten().unwrap_or_default();
        if bindings.is_empty() {
            return Err(Error::local(format!(
                "no public port '{key}' published for {}",
                args.container
            )));
        }
        for binding in &bindings {
            output::line(&address(binding))?;
        }
        return Ok(0);
    }
    show(&ports)?;
    Ok(0)
}

/// Prints a line for each published port.
pub(super) fn show(ports: &PortBindings) -> Result<()> {
    let mut all: Vec<(u16, &str, &PortBinding)> = Vec::new();
    for (key, bindings) in ports {
        let (number, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
        let number = number.parse().unwrap_or_default();
        for binding in bindings.iter().flatten() {
            all.push((number, protocol, binding));
        }
    }
    all.sort_by_key(|(number, protocol, _)| (*number, *protocol));
    for (number, protocol, binding) in all {
        output::line(&format!("{number}/{protocol} -> {}", address(binding)))?;
    }
    Ok(())
}

fn address(binding: &PortBinding) -> String {
    if binding.host_ip.contains(':') {
        format!("[{}]:{}", binding.host_ip, binding.host_port)
    } else {
        format!("{}:{}", binding.host_ip, binding.host_port)
    }
}
