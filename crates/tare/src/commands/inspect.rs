use crate::cx::Cx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::output;

/// Return low-level information on Tare objects
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format output using a custom template: 'json' or a Go template
    #[arg(short, long, value_name = "string")]
    format: Option<String>,
    /// Display total file sizes if the type is container
    #[arg(short, long)]
    size: bool,
    /// Only inspect objects of the given type
    #[arg(long = "type", value_name = "string", value_parser = kind)]
    kind: Option<Type>,
    #[arg(required = true, hide = true)]
    names: Vec<String>,
}

/// What may be inspected, in the order in which a bare name is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Container,
    Image,
    Network,
    Volume,
}

const TYPES: &[Type] = &[Type::Container, Type::Image, Type::Network, Type::Volume];

fn kind(text: &str) -> std::result::Result<Type, String> {
    match text {
        "container" => Ok(Type::Container),
        "image" => Ok(Type::Image),
        "network" => Ok(Type::Network),
        "volume" => Ok(Type::Volume),
        _ => Err("one of container, image, network, volume".into()),
    }
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let types = args.kind.as_ref().map_or(TYPES, std::slice::from_ref);
    inspect(&args, types, cx).await
}

/// The same for one type: `tare container inspect` and its kin.
macro_rules! typed {
    ($module:ident, $kind:ident, $about:literal) => {
        pub(crate) mod $module {
            use crate::cx::Cx;
            use crate::error::Outcome;

            #[doc = $about]
            #[derive(Debug, clap::Args)]
            pub(crate) struct Args {
                /// Format output using a custom template: 'json' or a Go template
                #[arg(short, long, value_name = "string")]
                format: Option<String>,
                /// Display total file sizes if the type is container
                #[arg(short, long)]
                size: bool,
                #[arg(required = true, hide = true)]
                names: Vec<String>,
            }

            pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
                let kind = Some(super::Type::$kind);
                let Args {
                    format,
                    size,
                    names,
                } = args;
                super::run(
                    super::Args {
                        format,
                        size,
                        kind,
                        names,
                    },
                    cx,
                )
                .await
            }
        }
    };
}

typed!(
    container,
    Container,
    "Display detailed information on one or more containers"
);
typed!(
    image,
    Image,
    "Display detailed information on one or more images"
);
typed!(
    network,
    Network,
    "Display detailed information on one or more networks"
);
typed!(
    volume,
    Volume,
    "Display detailed information on one or more volumes"
);

async fn inspect(args: &Args, types: &[Type], cx: &Cx) -> Outcome {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for name in &args.names {
        match find(name, types, args.size, cx).await {
            Ok(text) => found.push(text),
            Err(error) if error.ends_all() => return Err(error),
            Err(error) => missing.push(error),
        }
    }
    output::text(&show(&found, args.format.as_deref().unwrap_or_default())?)?;
    for error in &missing {
        output::failure(error, "");
    }
    Ok(u8::from(!missing.is_empty()))
}

fn show(found: &[String], format: &str) -> Result<String> {
    if matches!(format, "" | "json") {
        let all = format!("[{}]", found.join(","));
        let text = if format.is_empty() {
            output::json::indent(&all, 4)
        } else {
            output::json::safe(&all)
        };
        return Ok(text + "\n");
    }
    let mut out = String::new();
    for text in found {
        let data: serde_json::Value = serde_json::from_str(text)
            .map_err(|why| Error::local(format!("read the engine's JSON: {why}")))?;
        out.push_str(&super::formatted(format, &data)?);
    }
    Ok(out)
}

/// The JSON of the first object of that name.
async fn find(name: &str, types: &[Type], size: bool, cx: &Cx) -> Result<String> {
    let client = cx.client().await?;
    for kind in types {
        let found = match kind {
            Type::Container => client.containers().inspect_raw(name, size).await,
            Type::Image => client.images().inspect_raw(name).await,
            Type::Network => client.networks().inspect_raw(name).await,
            Type::Volume => client.volumes().inspect_raw(name).await,
        };
        match found.map_err(Error::from) {
            Err(error) if error.is_not_found() && types.len() > 1 => {}
            Err(error) => return Err(error),
            Ok(json) => return Ok(String::from_utf8_lossy(&json).trim().to_owned()),
        }
    }
    Err(Error::local(format!("Error: No such object: {name}")).with_kind(Kind::Bare))
}
