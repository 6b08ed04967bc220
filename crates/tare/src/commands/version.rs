use crate::cx::Cx;
use crate::error::{Error, Outcome};
use crate::output;
use api::system::Version;
use serde_json::json;

/// Show the Tare version information
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format output using a custom template: 'json' or a Go template
    #[arg(short, long, value_name = "string")]
    format: Option<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let server = match cx.client().await {
        Ok(client) => client.system().version().await.map_err(Error::from),
        Err(error) => Err(error),
    };
    let own = json!({
        "Version": env!("CARGO_PKG_VERSION"),
        "ApiVersion": api::ApiVersion::MAX.to_string(),
        "Os": std::env::consts::OS,
        "Arch": arch(),
    });
    if let Some(format) = args.format.as_deref().filter(|format| !format.is_empty()) {
        let data = json!({ "Client": own, "Server": server? });
        output::text(&super::formatted(format, &data)?)?;
        return Ok(0);
    }
    let mut text = format!(
        "Client:\n Version:           {}\n API version:       {}\n OS/Arch:           {}/{}\n",
        env!("CARGO_PKG_VERSION"),
        api::ApiVersion::MAX,
        std::env::consts::OS,
        arch(),
    );
    match server {
        Ok(version) => {
            text.push_str(&describe(&version));
            output::text(&text)?;
            Ok(0)
        }
        Err(error) => {
            output::text(&text)?;
            Err(error)
        }
    }
}

fn describe(version: &Version) -> String {
    let safe = |text: &str| output::escape::cell(text).into_owned();
    let name = if version.platform.name.is_empty() {
        "Engine"
    } else {
        &version.platform.name
    };
    let mut text = format!(
        "\nServer: {}\n Engine:\n  Version:          {}\n  API version:      {} (minimum version {})\n  OS/Arch:          {}/{}\n  Kernel:           {}\n",
        safe(name),
        safe(&version.version),
        safe(&version.api_version),
        safe(&version.min_api_version),
        safe(&version.os),
        safe(&version.arch),
        safe(&version.kernel_version),
    );
    for component in version
        .components
        .iter()
        .filter(|component| component.name != "Engine")
    {
        text.push_str(&format!(
            " {}:\n  Version:          {}\n",
            safe(&component.name),
            safe(&component.version)
        ));
    }
    text
}

/// The architecture in Go's words.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
