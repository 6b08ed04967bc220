mod context;
mod fallback;
mod secret;
mod shell;

use crate::cx::Cx;
use crate::error::{Error, Outcome, Result};
use crate::flag::{self, Ulimit};
use crate::output;
use crate::output::progress::{self, Progress};
use crate::settings;
use crate::signals::Signals;
use api::build::{BuildFailure, BuildOptions, BuildResult, BuildStatus};
use client::Building;
use context::Given;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;

/// Build an image from a Dockerfile
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the Dockerfile (default: "PATH/Dockerfile"); '-' to read it from STDIN
    #[arg(short, long, value_name = "string")]
    file: Option<String>,
    /// Name and optionally a tag (format: "name:tag")
    #[arg(short, long, value_name = "list")]
    tag: Vec<String>,
    /// Set the target build stage to build
    #[arg(long, value_name = "string")]
    target: Option<String>,
    /// Set build-time variables
    #[arg(long, value_name = "list", value_parser = argument)]
    build_arg: Vec<(String, Option<String>)>,
    /// Additional build contexts (e.g., name=path)
    #[arg(long, value_name = "list", value_parser = flag::pair)]
    build_context: Vec<(String, String)>,
    /// Set metadata for an image
    #[arg(long, value_name = "list", value_parser = flag::label)]
    label: Vec<(String, String)>,
    /// Set platform if server is multi-platform capable
    #[arg(long, value_name = "string")]
    platform: Option<String>,
    /// Do not use cache when building the image
    #[arg(long)]
    no_cache: bool,
    /// Do not cache specified stages
    #[arg(long, value_name = "list", value_delimiter = ',')]
    no_cache_filter: Vec<String>,
    /// Always attempt to pull all referenced images
    #[arg(long)]
    pull: bool,
    /// Only check the Dockerfile: nothing is built
    #[arg(long)]
    check: bool,
    /// Suppress the build output and print image ID on success
    #[arg(short, long)]
    quiet: bool,
    /// Write the image ID to a file
    #[arg(long, value_name = "file")]
    iidfile: Option<String>,
    /// Set type of progress output ("auto", "plain", "tty", "quiet", "rawjson")
    #[arg(long, value_name = "string")]
    progress: Option<String>,
    /// What to do when a step fails: 'shell' opens one in its file system
    #[arg(long, value_name = "string", value_parser = ["shell", "exit"])]
    on_error: Option<String>,
    /// Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")
    #[arg(long, value_name = "list")]
    secret: Vec<String>,
    /// SSH agent socket to expose to the build (format: "default|<id>[=<socket>]")
    #[arg(long, value_name = "list")]
    ssh: Vec<String>,
    /// Allow extra privileged entitlement (e.g., "network.host", "security.insecure")
    #[arg(long, value_name = "list", value_delimiter = ',')]
    allow: Vec<String>,
    /// Set the networking mode for the RUN instructions during build
    #[arg(long, value_name = "string")]
    network: Option<String>,
    /// Add a custom host-to-IP mapping (format: "host:ip")
    #[arg(long, value_name = "list", value_parser = flag::host_entry)]
    add_host: Vec<String>,
    /// Shared memory size for build containers
    #[arg(long, value_name = "bytes", value_parser = flag::bytes)]
    shm_size: Option<i64>,
    /// Ulimit options
    #[arg(long, value_name = "ulimit", value_parser = flag::ulimit)]
    ulimit: Vec<Ulimit>,
    /// Memory limit
    #[arg(short, long, value_name = "bytes", value_parser = flag::bytes)]
    memory: Option<i64>,
    /// Swap limit equal to memory plus swap: '-1' to enable unlimited swap
    #[arg(long, value_name = "bytes", value_parser = flag::bytes_or_unlimited, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// CPU shares (relative weight)
    #[arg(short, long, value_name = "int")]
    cpu_shares: Option<i64>,
    /// Limit the CPU CFS (Completely Fair Scheduler) period
    #[arg(long, value_name = "int")]
    cpu_period: Option<i64>,
    /// Limit the CPU CFS (Completely Fair Scheduler) quota
    #[arg(long, value_name = "int", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// CPUs in which to allow execution (0-3, 0,1)
    #[arg(long, value_name = "string")]
    cpuset_cpus: Option<String>,
    /// MEMs in which to allow execution (0-3, 0,1)
    #[arg(long, value_name = "string")]
    cpuset_mems: Option<String>,
    /// Set the parent cgroup for the RUN instructions during build
    #[arg(long, value_name = "string")]
    cgroup_parent: Option<String>,
    /// Security options
    #[arg(long, value_name = "list")]
    security_opt: Vec<String>,
    /// Remove intermediate containers after a successful build: always done
    #[arg(long, hide = true)]
    rm: bool,
    /// Always remove intermediate containers: always done
    #[arg(long, hide = true)]
    force_rm: bool,
    #[arg(required = true, hide = true)]
    context: String,
}

/// `NAME=value`; a lone `NAME` takes its value from the environment.
fn argument(text: &str) -> std::result::Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(format!("'{text}' has no name before the '='"));
    }
    Ok((name.to_owned(), value))
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let mut progress = progress::of(mode(&args)?)?;
    let mut given = Given::of(&args)?;
    let options = options(&args, &mut given)?;
    let mut signals = Signals::ending()?;
    let building = start(cx, &mut given, options.clone()).await?;
    let ended = follow(cx, building, &options.id, &mut *progress, &mut signals).await?;
    match ended {
        Ended::Well(result) => done(&args, &result, progress.warnings()),
        Ended::Badly(failure) => {
            progress.failed(&failure)?;
            let error = Error::bare(format!("ERROR: failed to build: {}", failure.message));
            if failure.image.is_empty() {
                return Err(error);
            }
            output::failure(&error, "");
            shell::open(cx, &failure.image).await
        }
        Ended::Cut(code) => Ok(code),
    }
}

/// How a build ended.
enum Ended {
    Well(BuildResult),
    Badly(BuildFailure),
    /// The user did not wait for it.
    Cut(u8),
}

/// Shows what happens until the end. The first signal asks the build to end, the second ends this command.
async fn follow(
    cx: &Cx,
    mut building: Building,
    id: &str,
    progress: &mut dyn Progress,
    signals: &mut Signals,
) -> Result<Ended> {
    let mut cancelled = false;
    let mut tick = tokio::time::interval(progress::TICK);
    loop {
        let next = tokio::select! {
            next = building.next() => next?,
            _ = tick.tick(), if progress.is_live() => {
                progress.tick()?;
                continue;
            }
            came = signals.next() => {
                if cancelled {
                    return Ok(Ended::Cut(came.exit_code()));
                }
                cancelled = true;
                cx.client().await?.builds().cancel(id).await?;
                continue;
            }
        };
        let Some((status, line)) = next else {
            return Err(Error::local("the engine went away before the build ended"));
        };
        progress.show(&status, &line)?;
        let BuildStatus {
            result, failure, ..
        } = status;
        if let Some(result) = result {
            return Ok(Ended::Well(result));
        }
        if let Some(failure) = failure {
            return Ok(Ended::Badly(failure));
        }
    }
}

/// Asks for the build; what can't be read in place is sent.
async fn start(cx: &Cx, given: &mut Given, options: BuildOptions) -> Result<Building> {
    let client = cx.client().await?;
    let stream = given.stream.take();
    match client.builds().start(&options, stream).await {
        Err(error) if error.kind == client::Kind::Status(412) => {
            let (options, stream) = fallback::stream(given, options)?;
            Ok(client.builds().start(&options, Some(stream)).await?)
        }
        other => Ok(other?),
    }
}

fn done(args: &Args, result: &BuildResult, warnings: usize) -> Outcome {
    if args.check {
        let found = match warnings {
            0 => "no warnings found.".to_owned(),
            1 => "1 warning has been found!".to_owned(),
            count => format!("{count} warnings have been found!"),
        };
        output::line(&format!("Check complete, {found}"))?;
        return Ok(u8::from(warnings > 0));
    }
    if let Some(path) = &args.iidfile {
        let mut file = File::create(path).map_err(|why| Error::io("create", path, why))?;
        let written = file.write_all(result.id.as_bytes());
        written.map_err(|why| Error::io("write", path, why))?;
    }
    if args.quiet || args.progress.as_deref() == Some("quiet") {
        output::line(&result.id)?;
    }
    Ok(0)
}

fn mode(args: &Args) -> Result<progress::Mode> {
    if args.quiet {
        return Ok(progress::Mode::Quiet);
    }
    let asked = args
        .progress
        .clone()
        .or_else(|| settings::environment("BUILDKIT_PROGRESS"))
        .unwrap_or_default();
    progress::Mode::parse(&asked)
}

fn options(args: &Args, given: &mut Given) -> Result<BuildOptions> {
    let mut build_args = BTreeMap::new();
    for (name, value) in &args.build_arg {
        // A name that the environment does not have is as if it was not there.
        if let Some(value) = value.clone().or_else(|| settings::environment(name)) {
            build_args.insert(name.clone(), value);
        }
    }
    let ulimits = args.ulimit.iter().map(|limit| api::container::Ulimit {
        name: limit.name.clone(),
        hard: limit.hard,
        soft: limit.soft,
    });
    let id = kernel::random::hex::<16>()
        .map_err(|why| Error::local("make a name for the build").because(why))?;
    Ok(BuildOptions {
        id,
        context: given.context.clone(),
        contexts: given.contexts.clone(),
        dockerfile: given.dockerfile.clone(),
        text: given.text.clone(),
        ignore: given.ignore.clone(),
        tags: args.tag.clone(),
        target: args.target.clone().unwrap_or_default(),
        build_args,
        labels: args.label.iter().cloned().collect(),
        platform: args.platform.clone().unwrap_or_default(),
        no_cache: args.no_cache,
        no_cache_filter: args.no_cache_filter.clone(),
        pull: args.pull,
        check: args.check,
        secrets: secret::secrets(&args.secret)?,
        agents: secret::agents(&args.ssh, given)?,
        allow: args.allow.clone(),
        keep_failed: args.on_error.as_deref() == Some("shell"),
        network: args.network.clone().unwrap_or_default(),
        extra_hosts: args.add_host.clone(),
        shm_size: args.shm_size.unwrap_or_default(),
        memory: args.memory.unwrap_or_default(),
        memory_swap: args.memory_swap.unwrap_or_default(),
        cpu_shares: args.cpu_shares.unwrap_or_default(),
        cpu_period: args.cpu_period.unwrap_or_default(),
        cpu_quota: args.cpu_quota.unwrap_or_default(),
        cpuset_cpus: args.cpuset_cpus.clone().unwrap_or_default(),
        cpuset_mems: args.cpuset_mems.clone().unwrap_or_default(),
        ulimits: ulimits.collect(),
        cgroup_parent: args.cgroup_parent.clone().unwrap_or_default(),
        security_opt: args.security_opt.clone(),
    })
}
