use crate::cx::Cx;
use crate::error::Outcome;
use crate::output::{self, escape, human};
use api::system::Info;

/// Display system-wide information
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format output using a custom template: 'json' or a Go template
    #[arg(short, long, value_name = "string")]
    format: Option<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let info = cx.client().await?.system().info().await?;
    if let Some(format) = args.format.as_deref().filter(|format| !format.is_empty()) {
        output::text(&super::formatted(format, &info)?)?;
        return Ok(0);
    }
    output::text(&describe(&info))?;
    for warning in info.warnings.iter().flatten() {
        output::say(warning);
    }
    Ok(0)
}

fn describe(info: &Info) -> String {
    let mut text = format!(
        "Client:\n Version:    {}\n\nServer:\n",
        env!("CARGO_PKG_VERSION")
    );
    let memory = i64::try_from(info.mem_total).unwrap_or(i64::MAX);
    let lines = [
        ("Containers", info.containers.to_string()),
        (" Running", info.containers_running.to_string()),
        (" Paused", info.containers_paused.to_string()),
        (" Stopped", info.containers_stopped.to_string()),
        ("Images", info.images.to_string()),
        ("Server Version", info.server_version.clone()),
        ("Storage Driver", info.driver.clone()),
        ("Logging Driver", info.logging_driver.clone()),
        ("Cgroup Driver", info.cgroup_driver.clone()),
        ("Cgroup Version", info.cgroup_version.clone()),
        ("Default Runtime", info.default_runtime.clone()),
        ("Security Options", info.security_options.join(" ")),
        ("Kernel Version", info.kernel_version.clone()),
        ("Operating System", info.operating_system.clone()),
        ("OSType", info.os_type.clone()),
        ("Architecture", info.architecture.clone()),
        ("CPUs", info.ncpu.to_string()),
        ("Total Memory", human::binary_size(memory)),
        ("Name", info.name.clone()),
        ("ID", info.id.clone()),
        ("Root Dir", info.docker_root_dir.clone()),
    ];
    for (name, value) in lines {
        if !value.is_empty() {
            text.push_str(&format!(" {name}: {}\n", escape::cell(&value)));
        }
    }
    for (name, value) in &info.driver_status {
        text.push_str(&format!(
            "  {}: {}\n",
            escape::cell(name),
            escape::cell(value)
        ));
    }
    text
}
