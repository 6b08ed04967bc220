//! The flags that `run` and `create` share, by what they are about, and what they say to the engine.

mod endpoints;
mod isolation;
pub(crate) mod network;
mod process;
mod request;
mod resources;
mod storage;

pub(crate) use request::{build, environment};

/// The flags of a container, then its image and command.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) process: process::Options,
    #[command(flatten)]
    pub(crate) storage: storage::Options,
    #[command(flatten)]
    pub(crate) network: network::Options,
    #[command(flatten)]
    pub(crate) resources: resources::Options,
    #[command(flatten)]
    pub(crate) isolation: isolation::Options,
    /// Assign a name to the container
    #[arg(long, value_name = "string")]
    pub(crate) name: Option<String>,
    /// Write the container ID to the file
    #[arg(long, value_name = "string")]
    pub(crate) cidfile: Option<std::path::PathBuf>,
    /// Use this platform of a multi-platform image
    #[arg(long, value_name = "string")]
    pub(crate) platform: Option<String>,
    /// Pull image before running ("always", "missing", "never") (default "missing")
    #[arg(long, value_name = "string", default_value = "missing", hide_default_value = true, value_parser = pull)]
    pub(crate) pull: Pull,
    /// Suppress the pull output
    #[arg(short, long)]
    pub(crate) quiet: bool,
    // Everything after the image is the container's, flags too.
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, hide = true)]
    pub(crate) image_and_command: Vec<String>,
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pull {
    Always,
    Missing,
    Never,
}

fn pull(text: &str) -> Result<Pull, String> {
    match text {
        "always" => Ok(Pull::Always),
        "missing" | "" => Ok(Pull::Missing),
        "never" => Ok(Pull::Never),
        _ => Err("must be one of \"always\", \"missing\" or \"never\"".into()),
    }
}

impl Options {
    /// The image as the user named it.
    pub(crate) fn image(&self) -> &str {
        self.image_and_command.first().map_or("", String::as_str)
    }
}
