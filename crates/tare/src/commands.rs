//! The commands, one a file, and the table that names them.

mod attach;
mod build;
mod builder;
mod commit;
mod cp;
mod create;
mod daemon;
mod diff;
mod events;
mod exec;
mod export;
mod history;
mod images;
mod import;
mod info;
mod inspect;
mod internal;
mod kill;
mod load;
mod logs;
mod network;
mod options;
mod pause;
mod port;
mod prune;
mod ps;
mod pull;
mod push;
mod registry;
mod rename;
mod restart;
mod rm;
mod rmi;
mod run;
mod save;
mod start;
mod stats;
mod stop;
mod system;
mod tag;
mod top;
mod unpause;
mod update;
mod version;
mod volume;
mod wait;

use crate::cx::Cx;
use crate::error::Outcome;
use crate::settings::Settings;
use clap::{ArgMatches, Command};
use std::future::Future;
use std::pin::Pin;

/// A command under way.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// One command.
pub(crate) struct Entry {
    /// How it may be spelled; the first is the usual way. A group's name comes before a space.
    pub(crate) paths: &'static [&'static str],
    /// Its operands, as the usage line shows them.
    pub(crate) usage: &'static str,
    /// Adds its flags to a grammar.
    pub(crate) arguments: fn(Command) -> Command,
    pub(crate) run: Run,
}

impl Entry {
    /// How many operands it needs: the words of its usage that are not in brackets.
    pub(crate) fn operands(&self) -> usize {
        self.usage
            .split(' ')
            .filter(|word| !word.starts_with('['))
            .count()
    }
}

/// How a command runs.
pub(crate) enum Run {
    /// As a client of an engine.
    Client(for<'a> fn(&'a Cx, ArgMatches) -> Running<'a>),
    /// As part of an engine, with a runtime of its own.
    Engine(fn(&Settings, ArgMatches) -> Outcome),
}

macro_rules! client {
    ($($module:ident)::+, $paths:expr, $usage:literal) => {
        Entry {
            paths: $paths,
            usage: $usage,
            arguments: <$($module)::+::Args as clap::Args>::augment_args,
            run: Run::Client(|cx, mut matches| {
                Box::pin(async move {
                    let args = <$($module)::+::Args as clap::FromArgMatches>::from_arg_matches_mut(&mut matches)
                        .map_err(|error| crate::cli::explain(&error))?;
                    $($module)::+::run(args, cx).await
                })
            }),
        }
    };
}

macro_rules! engine {
    ($($module:ident)::+, $paths:expr, $usage:literal) => {
        Entry {
            paths: $paths,
            usage: $usage,
            arguments: <$($module)::+::Args as clap::Args>::augment_args,
            run: Run::Engine(|settings, mut matches| {
                let args =
                    <$($module)::+::Args as clap::FromArgMatches>::from_arg_matches_mut(&mut matches)
                        .map_err(|error| crate::cli::explain(&error))?;
                $($module)::+::run(args, settings)
            }),
        }
    };
}

/// Every command, in the order of the overview.
static TABLE: &[Entry] = &[
    client!(
        run,
        &["run", "container run"],
        "[OPTIONS] IMAGE [COMMAND] [ARG...]"
    ),
    client!(
        exec,
        &["exec", "container exec"],
        "[OPTIONS] CONTAINER COMMAND [ARG...]"
    ),
    client!(
        ps,
        &["ps", "container ls", "container list", "container ps"],
        "[OPTIONS]"
    ),
    client!(
        create,
        &["create", "container create"],
        "[OPTIONS] IMAGE [COMMAND] [ARG...]"
    ),
    client!(
        start,
        &["start", "container start"],
        "[OPTIONS] CONTAINER [CONTAINER...]"
    ),
    client!(
        stop,
        &["stop", "container stop"],
        "[OPTIONS] CONTAINER [CONTAINER...]"
    ),
    client!(
        restart,
        &["restart", "container restart"],
        "[OPTIONS] CONTAINER [CONTAINER...]"
    ),
    client!(
        kill,
        &["kill", "container kill"],
        "[OPTIONS] CONTAINER [CONTAINER...]"
    ),
    client!(
        pause,
        &["pause", "container pause"],
        "CONTAINER [CONTAINER...]"
    ),
    client!(
        unpause,
        &["unpause", "container unpause"],
        "CONTAINER [CONTAINER...]"
    ),
    client!(
        rename,
        &["rename", "container rename"],
        "CONTAINER NEW_NAME"
    ),
    client!(
        update,
        &["update", "container update"],
        "[OPTIONS] CONTAINER [CONTAINER...]"
    ),
    client!(top, &["top", "container top"], "CONTAINER [ps OPTIONS]"),
    client!(
        stats,
        &["stats", "container stats"],
        "[OPTIONS] [CONTAINER...]"
    ),
    client!(
        rm,
        &["rm", "container rm", "container remove"],
        "[OPTIONS] CONTAINER [CONTAINER...]"
    ),
    client!(
        attach,
        &["attach", "container attach"],
        "[OPTIONS] CONTAINER"
    ),
    client!(logs, &["logs", "container logs"], "[OPTIONS] CONTAINER"),
    client!(
        port,
        &["port", "container port"],
        "CONTAINER [PRIVATE_PORT[/PROTO]]"
    ),
    client!(
        wait,
        &["wait", "container wait"],
        "CONTAINER [CONTAINER...]"
    ),
    client!(
        pull,
        &["pull", "image pull"],
        "[OPTIONS] NAME[:TAG|@DIGEST]"
    ),
    client!(push, &["push", "image push"], "[OPTIONS] NAME[:TAG]"),
    client!(
        build,
        &["build", "image build", "builder build"],
        "[OPTIONS] PATH | -"
    ),
    client!(builder::prune, &["builder prune"], "[OPTIONS]"),
    client!(
        cp,
        &["cp", "container cp"],
        "[OPTIONS] CONTAINER:SRC_PATH|SRC_PATH|- CONTAINER:DEST_PATH|DEST_PATH|-"
    ),
    client!(diff, &["diff", "container diff"], "CONTAINER"),
    client!(
        commit,
        &["commit", "container commit"],
        "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]"
    ),
    client!(
        export,
        &["export", "container export"],
        "[OPTIONS] CONTAINER"
    ),
    client!(prune::container, &["container prune"], "[OPTIONS]"),
    client!(
        images,
        &["images", "image ls", "image list"],
        "[OPTIONS] [REPOSITORY[:TAG]]"
    ),
    client!(
        import,
        &["import", "image import"],
        "[OPTIONS] file|- [REPOSITORY[:TAG]]"
    ),
    client!(load, &["load", "image load"], "[OPTIONS]"),
    client!(save, &["save", "image save"], "[OPTIONS] IMAGE [IMAGE...]"),
    client!(
        tag,
        &["tag", "image tag"],
        "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]"
    ),
    client!(
        rmi,
        &["rmi", "image rm", "image remove"],
        "[OPTIONS] IMAGE [IMAGE...]"
    ),
    client!(prune::image, &["image prune"], "[OPTIONS]"),
    client!(history, &["history", "image history"], "[OPTIONS] IMAGE"),
    client!(inspect, &["inspect"], "[OPTIONS] NAME|ID [NAME|ID...]"),
    client!(
        inspect::container,
        &["container inspect"],
        "[OPTIONS] CONTAINER [CONTAINER...]"
    ),
    client!(
        inspect::image,
        &["image inspect"],
        "[OPTIONS] IMAGE [IMAGE...]"
    ),
    client!(
        inspect::volume,
        &["volume inspect"],
        "[OPTIONS] VOLUME [VOLUME...]"
    ),
    client!(network::create, &["network create"], "[OPTIONS] NETWORK"),
    client!(network::ls, &["network ls", "network list"], "[OPTIONS]"),
    client!(
        inspect::network,
        &["network inspect"],
        "[OPTIONS] NETWORK [NETWORK...]"
    ),
    client!(
        network::rm,
        &["network rm", "network remove"],
        "[OPTIONS] NETWORK [NETWORK...]"
    ),
    client!(network::prune, &["network prune"], "[OPTIONS]"),
    client!(
        network::connect,
        &["network connect"],
        "[OPTIONS] NETWORK CONTAINER"
    ),
    client!(
        network::disconnect,
        &["network disconnect"],
        "[OPTIONS] NETWORK CONTAINER"
    ),
    client!(
        network::publish,
        &["network publish"],
        "[OPTIONS] CONTAINER"
    ),
    client!(
        network::unpublish,
        &["network unpublish"],
        "[OPTIONS] CONTAINER"
    ),
    client!(volume::ls, &["volume ls", "volume list"], "[OPTIONS]"),
    client!(volume::create, &["volume create"], "[OPTIONS] [VOLUME]"),
    client!(
        volume::rm,
        &["volume rm", "volume remove"],
        "[OPTIONS] VOLUME [VOLUME...]"
    ),
    client!(prune::volume, &["volume prune"], "[OPTIONS]"),
    client!(system::check, &["system check"], "[OPTIONS]"),
    client!(system::df, &["system df"], "[OPTIONS]"),
    client!(system::prune, &["system prune"], "[OPTIONS]"),
    client!(events, &["events", "system events"], "[OPTIONS]"),
    client!(version, &["version"], "[OPTIONS]"),
    client!(info, &["info", "system info"], "[OPTIONS]"),
    engine!(daemon, &["daemon"], "[OPTIONS]"),
    engine!(registry::serve, &["registry serve"], "[OPTIONS]"),
    engine!(registry::collect, &["registry collect"], "[OPTIONS]"),
    engine!(registry::scrub, &["registry scrub"], "[OPTIONS]"),
    engine!(internal, &["internal"], "remove ID | check | boot"),
];

/// Groups of commands, and what they are about.
const GROUPS: &[(&str, &str)] = &[
    ("container", "Manage containers"),
    ("builder", "Manage builds"),
    ("image", "Manage images"),
    ("volume", "Manage volumes"),
    ("registry", "Serve a registry of one's own"),
    ("network", "Manage networks"),
    ("system", "Manage Tare"),
];

/// Commands that only Tare itself uses.
const HIDDEN: &[&str] = &["internal"];

/// The command that is spelled so.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.paths.contains(&name))
}

/// Whether commands begin with this word.
pub(crate) fn is_group(word: &str) -> bool {
    GROUPS.iter().any(|(group, _)| *group == word)
}

/// All first words.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let alone = TABLE
        .iter()
        .flat_map(|entry| entry.paths)
        .filter(|path| !path.contains(' '));
    alone
        .copied()
        .filter(|path| !HIDDEN.contains(path))
        .chain(GROUPS.iter().map(|(group, _)| *group))
}

/// All second words of a group.
pub(crate) fn group_names(group: &str) -> impl Iterator<Item = &'static str> {
    let group = group.to_owned();
    TABLE
        .iter()
        .flat_map(|entry| entry.paths)
        .filter_map(move |path| path.split_once(' ').filter(|(first, _)| *first == group))
        .map(|(_, second)| second)
}

/// The page of `tare --help`.
pub(crate) fn overview() -> String {
    let mut text =
        String::from("Usage:  tare [OPTIONS] COMMAND\n\nA container engine that weighs nothing\n");
    text.push_str("\nCommands:\n");
    for entry in TABLE {
        let name = entry.paths[0];
        if !name.contains(' ') && !HIDDEN.contains(&name) {
            text.push_str(&format!("  {name:<11} {}\n", about(entry)));
        }
    }
    text.push_str("\nManagement Commands:\n");
    for (group, about) in GROUPS {
        text.push_str(&format!("  {group:<11} {about}\n"));
    }
    text.push_str(&format!(
        "\nGlobal Options:\n{}",
        crate::cli::global_options()
    ));
    text.push_str("\nRun 'tare COMMAND --help' for more information on a command.\n");
    text
}

/// The page of a group.
pub(crate) fn group_overview(group: &str) -> String {
    let about_group = GROUPS
        .iter()
        .find(|(name, _)| *name == group)
        .map_or("", |(_, about)| about);
    let mut text = format!("Usage:  tare {group} COMMAND\n\n{about_group}\n\nCommands:\n");
    for entry in TABLE {
        let second = entry
            .paths
            .iter()
            .find_map(|path| path.split_once(' ').filter(|(first, _)| *first == group));
        if let Some((_, name)) = second {
            text.push_str(&format!("  {name:<11} {}\n", about(entry)));
        }
    }
    text.push_str(&format!(
        "\nRun 'tare {group} COMMAND --help' for more information on a command.\n"
    ));
    text
}

/// Parses `--filter key=value` flags.
fn filters(flags: &[String]) -> crate::error::Result<api::Filters> {
    let mut filters = api::Filters::default();
    for text in flags {
        let Some((key, value)) = text.split_once('=') else {
            let why =
                format!("invalid argument \"{text}\" for \"--filter\" flag: expected KEY=VALUE");
            return Err(crate::error::Error::usage(why));
        };
        filters.add(key.trim().to_ascii_lowercase(), value.trim());
    }
    Ok(filters)
}

/// `a=b,c=d`.
fn labels(labels: &api::Labels) -> String {
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// An image's name and its tag: a colon before a slash is a port.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

/// A platform as the API takes it: in JSON. Nothing stays nothing.
fn platform(text: Option<&str>) -> crate::error::Result<String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(String::new());
    };
    let platform: spec::Platform = text
        .parse()
        .map_err(|why: spec::Error| crate::error::Error::usage(why.to_string()))?;
    serde_json::to_string(&platform)
        .map_err(|why| crate::error::Error::local(format!("encode JSON: {why}")))
}

/// A file that the user named.
async fn open(path: &str) -> crate::error::Result<tokio::fs::File> {
    let file = tokio::fs::File::open(path).await;
    file.map_err(|why| crate::error::Error::io("open", path, why))
}

/// Data printed as the user's `--format` says: `json` or a template.
fn formatted(format: &str, data: &impl serde::Serialize) -> crate::error::Result<String> {
    use crate::error::Error;
    let encode = |why: serde_json::Error| Error::local(format!("encode JSON: {why}"));
    if format == "json" {
        let text = serde_json::to_string(data).map_err(encode)?;
        return Ok(crate::output::json::safe(&text) + "\n");
    }
    let template = crate::output::template(format)?;
    let data = serde_json::to_value(data).map_err(encode)?;
    let text = template.render(&data);
    text.map(|text| text + "\n")
        .map_err(|why| Error::usage(format!("template: {why}")))
}

fn about(entry: &Entry) -> String {
    (entry.arguments)(Command::new("tare"))
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}
