use crate::cx::Cx;
use crate::error::Outcome;
use crate::{flag, output};
use api::volume::VolumeCreateRequest;

/// Create a volume
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Specify volume driver name (default "local")
    #[arg(short, long, value_name = "string")]
    driver: Option<String>,
    /// Set metadata for a volume
    #[arg(long, value_name = "list", value_parser = flag::label)]
    label: Vec<(String, String)>,
    /// Set driver specific options
    #[arg(short, long, value_name = "map", value_parser = flag::pair)]
    opt: Vec<(String, String)>,
    #[arg(hide = true)]
    name: Option<String>,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let request = VolumeCreateRequest {
        name: args.name.unwrap_or_default(),
        driver: args.driver.unwrap_or_else(|| "local".into()),
        driver_opts: args.opt.into_iter().collect(),
        labels: args.label.into_iter().collect(),
    };
    let volume = cx.client().await?.volumes().create(&request).await?;
    output::line(&volume.name)?;
    Ok(0)
}
