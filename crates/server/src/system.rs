//! The engine and its machine.

use api::system::{
    Commit, Component, Finding, IndexInfo, Info, PlatformName, Plugins, RegistryConfig, Runtime,
    SwarmInfo, Version,
};
use api::{ApiVersion, Labels, Time};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};

use crate::error::Answer;
use crate::request::{Params, finish};
use crate::router::App;

/// The name that the engine gives itself.
const NAME: &str = "Tare";
/// What holds roots together.
pub(crate) const DRIVER: &str = "overlayfs";

pub(crate) async fn ping() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
        (PRAGMA, "no-cache"),
    ];
    (headers, [("swarm", "inactive")], "OK").into_response()
}

pub(crate) async fn version(State(app): State<App>) -> Response {
    let system = app.engine.system();
    let mut version = Version {
        platform: PlatformName {
            name: NAME.to_owned(),
        },
        version: system.version().to_owned(),
        api_version: ApiVersion::MAX.to_string(),
        min_api_version: ApiVersion::MIN.to_string(),
        os: "linux".to_owned(),
        arch: spec::Platform::host().architecture,
        kernel_version: system.kernel(),
        ..Version::default()
    };
    let details = [
        ("ApiVersion", version.api_version.clone()),
        ("MinAPIVersion", version.min_api_version.clone()),
        ("Os", version.os.clone()),
        ("Arch", version.arch.clone()),
        ("KernelVersion", version.kernel_version.clone()),
        ("GitCommit", String::new()),
        ("GoVersion", String::new()),
        ("BuildTime", String::new()),
        ("Experimental", "false".to_owned()),
    ];
    let details = details.map(|(name, value)| (name.to_owned(), value));
    version.components = vec![Component {
        name: "Engine".to_owned(),
        version: version.version.clone(),
        details: Some(Labels::from(details)),
    }];
    axum::Json(version).into_response()
}

pub(crate) async fn info(State(app): State<App>) -> Answer {
    let known = app.engine.system().info().await?;
    let hub = "docker.io".to_owned();
    let official = IndexInfo {
        name: hub.clone(),
        secure: true,
        official: true,
        ..IndexInfo::default()
    };
    let text = str::to_owned;
    let list = |items: &[&str]| Some(items.iter().copied().map(text).collect());
    let info = Info {
        id: known.id,
        containers: known.containers,
        containers_running: known.running,
        containers_paused: known.paused,
        containers_stopped: known.stopped,
        images: known.images,
        driver: text(DRIVER),
        plugins: Plugins {
            volume: list(&["local"]),
            network: list(&["host", "null"]),
            authorization: None,
            log: list(&["json-file", "local", "none"]),
        },
        memory_limit: true,
        swap_limit: true,
        cpu_cfs_period: true,
        cpu_cfs_quota: true,
        cpu_shares: true,
        cpu_set: true,
        pids_limit: true,
        ipv4_forwarding: true,
        system_time: Time::from((app.now)()).to_string(),
        logging_driver: text("json-file"),
        cgroup_driver: text("cgroupfs"),
        cgroup_version: known.cgroup_version.to_string(),
        kernel_version: known.kernel,
        operating_system: known.operating_system,
        os_type: known.os,
        architecture: known.architecture,
        registry_config: RegistryConfig {
            insecure_registry_cidrs: vec![text("::1/128"), text("127.0.0.0/8")],
            index_configs: [(hub, official)].into(),
            ..RegistryConfig::default()
        },
        index_server_address: text("https://index.docker.io/v1/"),
        ncpu: known.cpus,
        mem_total: known.memory,
        docker_root_dir: known.root.display().to_string(),
        name: known.hostname,
        server_version: known.version,
        runtimes: [(
            text("tare-runtime"),
            Runtime {
                path: text("tare-runtime"),
                ..Runtime::default()
            },
        )]
        .into(),
        default_runtime: text("tare-runtime"),
        swarm: SwarmInfo {
            local_node_state: text("inactive"),
            ..SwarmInfo::default()
        },
        // Its containers do not even notice when the server ends.
        live_restore_enabled: true,
        containerd_commit: Commit::default(),
        security_options: vec![text("name=seccomp,profile=builtin")],
        warnings: (!known.warnings.is_empty()).then_some(known.warnings),
        ..Info::default()
    };
    Ok(axum::Json(info).into_response())
}

/// Whether disk, kernel and database agree. Not Docker's.
/// `GET /tare/v1/check`, with `verify=1` also the content.
pub(crate) async fn check(State(app): State<App>, params: Params) -> Answer {
    let system = app.engine.system();
    let mut findings = system.check().await?;
    if params.0.flag("verify") {
        findings.extend(system.verify().await?);
    }
    let findings: Vec<_> = findings
        .into_iter()
        .map(|found| Finding {
            subject: found.subject,
            problem: found.problem,
        })
        .collect();
    Ok(axum::Json(findings).into_response())
}

/// `POST /tare/v1/repair`.
pub(crate) async fn repair(State(app): State<App>) -> Answer {
    let system = app.engine.system();
    finish(async move { system.repair().await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
