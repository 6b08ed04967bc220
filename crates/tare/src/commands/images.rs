use crate::cx::Cx;
use crate::error::Outcome;
use crate::output::{self, Format, View, human};
use api::image::ImageSummary;
use client::ImageListQuery;
use jiff::Timestamp;

/// List images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show all images (default hides intermediate images)
    #[arg(short, long)]
    all: bool,
    /// Show digests
    #[arg(long)]
    digests: bool,
    /// Filter output based on conditions provided
    #[arg(short, long, value_name = "filter")]
    filter: Vec<String>,
    /// Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template
    #[arg(long, value_name = "string")]
    format: Option<String>,
    /// Don't truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Only show image IDs
    #[arg(short, long)]
    quiet: bool,
    #[arg(hide = true)]
    reference: Option<String>,
}

const COLUMNS: &[&str] = &["Repository", "Tag", "ID", "CreatedSince", "Size"];
const COLUMNS_WITH_DIGESTS: &[&str] =
    &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"];

const NONE: &str = "<none>";

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let format = Format::parse(args.format.as_deref().unwrap_or_default())?;
    let mut filters = super::filters(&args.filter)?;
    if let Some(reference) = &args.reference {
        filters.add("reference", reference);
    }
    let query = ImageListQuery {
        all: args.all,
        filters,
    };
    let mut images = cx.client().await?.images().list(&query).await?;
    images.sort_by_key(|image| std::cmp::Reverse(image.created));
    let rows: Vec<Row<'_>> = images
        .iter()
        .flat_map(|image| names(image, args.digests && !args.quiet))
        .map(|(image, name)| Row {
            image,
            name,
            now: cx.now(),
            whole: args.no_trunc,
        })
        .collect();
    let text = if args.quiet {
        rows.iter().map(|row| row.text("ID") + "\n").collect()
    } else {
        output::list(
            &rows,
            &format,
            if args.digests {
                COLUMNS_WITH_DIGESTS
            } else {
                COLUMNS
            },
        )?
    };
    output::text(&text)?;
    Ok(0)
}

/// One name of an image: an image with two tags has two rows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    repository: String,
    tag: String,
    digest: String,
}

fn names(image: &ImageSummary, digests: bool) -> Vec<(&ImageSummary, Name)> {
    let digest_of = |repository: &str| {
        let mut pairs = image
            .repo_digests
            .iter()
            .filter_map(|text| text.split_once('@'));
        pairs
            .find(|(name, _)| *name == repository)
            .map_or(NONE, |(_, digest)| digest)
            .to_owned()
    };
    let tagged = image
        .repo_tags
        .iter()
        .filter(|text| !text.starts_with(NONE))
        .map(|text| {
            let (repository, tag) = super::split_tag(text);
            Name {
                repository: repository.to_owned(),
                tag: tag.unwrap_or(NONE).to_owned(),
                digest: if digests {
                    digest_of(repository)
                } else {
                    NONE.to_owned()
                },
            }
        });
    let mut names: Vec<Name> = tagged.collect();
    if names.is_empty() {
        let mut digests = image
            .repo_digests
            .iter()
            .filter_map(|text| text.split_once('@'));
        let (repository, digest) = digests.next().unwrap_or((NONE, NONE));
        names.push(Name {
            repository: repository.into(),
            tag: NONE.into(),
            digest: digest.into(),
        });
    }
    names.into_iter().map(|name| (image, name)).collect()
}

struct Row<'a> {
    image: &'a ImageSummary,
    name: Name,
    now: Timestamp,
    whole: bool,
}

impl View for Row<'_> {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("Containers", "CONTAINERS"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedSince", "CREATED"),
        ("Digest", "DIGEST"),
        ("ID", "IMAGE ID"),
        ("Repository", "REPOSITORY"),
        ("SharedSize", "SHARED SIZE"),
        ("Size", "SIZE"),
        ("Tag", "TAG"),
        ("UniqueSize", "UNIQUE SIZE"),
        ("VirtualSize", "SIZE"),
    ];

    fn text(&self, field: &str) -> String {
        let created = || {
            Timestamp::from_second(self.image.created)
                .ok()
                .filter(|t| t.as_second() > 0)
        };
        let known = |count: i64, text: String| if count < 0 { "N/A".to_owned() } else { text };
        match field {
            "ID" if self.whole => self.image.id.clone(),
            "ID" => human::short_id(&self.image.id).to_owned(),
            "Repository" => self.name.repository.clone(),
            "Tag" => self.name.tag.clone(),
            "Digest" => self.name.digest.clone(),
            "CreatedSince" => {
                created().map_or_else(|| "N/A".into(), |then| human::ago(self.now, then))
            }
            "CreatedAt" => created().map_or_else(|| "N/A".into(), human::moment),
            "Size" | "VirtualSize" => human::size(self.image.size),
            "Containers" => known(self.image.containers, self.image.containers.to_string()),
            "SharedSize" => known(self.image.shared_size, human::size(self.image.shared_size)),
            "UniqueSize" => known(
                self.image.shared_size,
                human::size(self.image.size - self.image.shared_size),
            ),
            _ => String::new(),
        }
    }
}
