use super::usage::{Line, lines};
use crate::cx::Cx;
use crate::error::{Outcome, Result};
use crate::output::{self, Format, View, human};
use api::container::ContainerSummary;
use api::image::ImageSummary;
use api::usage::{BuildCache, DiskUsage};
use api::volume::Volume;
use jiff::Timestamp;

/// Show disk usage
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template
    #[arg(long, value_name = "string")]
    format: Option<String>,
    /// Show detailed information on space usage
    #[arg(short, long)]
    verbose: bool,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let text = args.format.as_deref().unwrap_or_default();
    let format = Format::parse(text)?;
    let usage = cx.client().await?.prune().usage().await?;
    if !args.verbose {
        let rows = lines(&usage);
        let columns = ["Type", "TotalCount", "Active", "Size", "Reclaimable"];
        output::text(&output::list(&rows, &format, &columns)?)?;
        return Ok(0);
    }
    if text == "json" || !matches!(format, Format::Table) {
        let text = if text.is_empty() { "json" } else { text };
        output::text(&super::super::formatted(text, &usage)?)?;
        return Ok(0);
    }
    output::text(&verbose(&usage, cx.now())?)?;
    Ok(0)
}

fn verbose(usage: &DiskUsage, now: Timestamp) -> Result<String> {
    let table = Format::Table;
    let mut text = String::from("Images space usage:\n\n");
    let images: Vec<_> = usage
        .images
        .iter()
        .flatten()
        .map(|i| Image(i, now))
        .collect();
    let columns = [
        "Repository",
        "Tag",
        "ID",
        "CreatedSince",
        "Size",
        "SharedSize",
        "UniqueSize",
        "Containers",
    ];
    text.push_str(&output::list(&images, &table, &columns)?);
    text.push_str("\nContainers space usage:\n\n");
    let containers: Vec<_> = usage
        .containers
        .iter()
        .flatten()
        .map(|c| Container(c, now))
        .collect();
    let columns = [
        "ID",
        "Image",
        "Command",
        "LocalVolumes",
        "Size",
        "RunningFor",
        "Status",
        "Names",
    ];
    text.push_str(&output::list(&containers, &table, &columns)?);
    text.push_str("\nLocal Volumes space usage:\n\n");
    let volumes: Vec<_> = usage.volumes.iter().flatten().map(Stored).collect();
    text.push_str(&output::list(&volumes, &table, &["Name", "Links", "Size"])?);
    let [.., builds] = lines(usage);
    text.push_str(&format!(
        "\nBuild cache usage: {}\n\n",
        human::size(builds.size)
    ));
    let caches: Vec<_> = usage
        .build_cache
        .iter()
        .flatten()
        .map(|cache| Cache(cache, now))
        .collect();
    let columns = ["ID", "CacheType", "Size", "CreatedSince"];
    text.push_str(&output::list(&caches, &table, &columns)?);
    Ok(text)
}

impl View for Line {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ];

    fn text(&self, field: &str) -> String {
        match field {
            "Type" => self.kind.to_owned(),
            "TotalCount" => self.total.to_string(),
            "Active" => self.active.to_string(),
            "Size" => human::size(self.size),
            "Reclaimable" if self.size > 0 => format!(
                "{} ({}%)",
                human::size(self.reclaimable),
                self.reclaimable * 100 / self.size
            ),
            _ => human::size(self.reclaimable),
        }
    }
}

fn ago(now: Timestamp, then: Option<Timestamp>) -> String {
    then.map_or_else(|| "N/A".to_owned(), |then| human::ago(now, then))
}

struct Image<'a>(&'a ImageSummary, Timestamp);

impl View for Image<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("Size", "SIZE"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
        ("Containers", "CONTAINERS"),
    ];

    fn text(&self, field: &str) -> String {
        let Self(image, now) = self;
        let tag = image
            .repo_tags
            .first()
            .map_or("<none>:<none>", String::as_str);
        let (repository, tag) = super::super::split_tag(tag);
        match field {
            "Repository" => repository.to_owned(),
            "Tag" => tag.unwrap_or("<none>").to_owned(),
            "ID" => human::short_id(&image.id).to_owned(),
            "CreatedSince" => ago(*now, Timestamp::from_second(image.created).ok()),
            "Size" => human::size(image.size),
            "SharedSize" => human::size(image.shared_size),
            "UniqueSize" => human::size(image.size - image.shared_size),
            _ => image.containers.to_string(),
        }
    }
}

struct Container<'a>(&'a ContainerSummary, Timestamp);

impl View for Container<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Size", "SIZE"),
        ("RunningFor", "CREATED"),
        ("Status", "STATUS"),
        ("Names", "NAMES"),
    ];

    fn text(&self, field: &str) -> String {
        let Self(container, now) = self;
        match field {
            "ID" => human::short_id(&container.id).to_owned(),
            "Image" => container.image.clone(),
            "Command" => format!("\"{}\"", human::ellipsis(&container.command, 20)),
            "LocalVolumes" => {
                let volumes = container.mounts.iter().filter(|m| m.kind == "volume");
                volumes.count().to_string()
            }
            "Size" => human::size(container.size_rw.unwrap_or_default()),
            "RunningFor" => ago(*now, Timestamp::from_second(container.created).ok()),
            "Status" => container.status.clone(),
            _ => {
                let names = container.names.iter();
                let names: Vec<_> = names.map(|name| name.trim_start_matches('/')).collect();
                names.join(",")
            }
        }
    }
}

struct Stored<'a>(&'a Volume);

impl View for Stored<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("Name", "VOLUME NAME"),
        ("Links", "LINKS"),
        ("Size", "SIZE"),
    ];

    fn text(&self, field: &str) -> String {
        let usage = self.0.usage.as_ref();
        match field {
            "Name" => self.0.name.clone(),
            "Links" => usage.map_or(0, |usage| usage.ref_count).to_string(),
            _ => human::size(usage.map_or(0, |usage| usage.size)),
        }
    }
}

struct Cache<'a>(&'a BuildCache, Timestamp);

impl View for Cache<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("ID", "CACHE ID"),
        ("CacheType", "CACHE TYPE"),
        ("Size", "SIZE"),
        ("CreatedSince", "CREATED"),
    ];

    fn text(&self, field: &str) -> String {
        let Self(cache, now) = self;
        match field {
            "ID" => human::short_id(&cache.id).to_owned(),
            "CacheType" => cache.kind.clone(),
            "Size" => human::size(cache.size),
            _ => ago(*now, cache.created_at.0),
        }
    }
}
