//! Docker's classic protocol: a tar comes, lines of text go.

use std::convert::Infallible;

use api::container::{HostConfig, Ulimit};
use api::progress::Message;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use engine::build::{BuildEvent, BuildRequest, CacheUse, Context, File, PlanRequest, Step, What};
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::json;
use spec::{ImageId, Reference};

use super::{UnderWay, begin, map, platform, tags};
use crate::body;
use crate::error::{Answer, Refusal};
use crate::request::Params;
use crate::router::App;
use crate::shape;

/// `POST /build`.
pub(crate) async fn build(State(app): State<App>, params: Params, request: Request) -> Answer {
    let asked = asked(&params)?;
    let progress = Progress {
        tags: asked.tags.iter().map(Reference::familiar).collect(),
        quiet: params.0.flag("q"),
        steps: Vec::new(),
        code: 0,
        build: begin(
            &app,
            asked,
            Context::stream(body::Reader::new(request.into_body())),
        ),
    };
    Ok(answer(progress))
}

pub(super) fn asked(params: &Params) -> Result<BuildRequest, Refusal> {
    if params.0.text("version") == Some("2") {
        return Err(Refusal {
            hint: Some("build with DOCKER_BUILDKIT=0".to_owned()),
            ..Refusal::unsupported("BuildKit's sessions are not supported yet")
        });
    }
    // `rm` and `forcerm` ask for what is always done: no container of a step stays.
    for name in ["pull", "remote", "outputs", "squash", "cachefrom"] {
        let value = params.0.text(name).unwrap_or_default();
        if !matches!(value, "" | "0" | "null" | "[]" | "false") {
            return Err(Refusal::unsupported(format!(
                "build with {name}={value} is not supported yet"
            )));
        }
    }
    let mut plan = PlanRequest {
        target: params.0.text("target").map(str::to_owned),
        build_args: map(params, "buildargs")?,
        labels: map(params, "labels")?,
        ..PlanRequest::default()
    };
    if params.0.flag("nocache") {
        plan.cache = CacheUse::None;
    }
    if let Some(text) = params.0.text("platform") {
        plan.platform = platform(text)?;
    }
    Ok(BuildRequest {
        name: params.0.text("buildid").unwrap_or_default().to_owned(),
        file: File::InContext(params.0.text("dockerfile").unwrap_or_default().to_owned()),
        plan,
        tags: tags(params.0.all("t"))?,
        run: shape::create::host(run(params)?)?,
        ..BuildRequest::default()
    })
}

/// What the commands' surroundings are to be.
fn run(params: &Params) -> Result<HostConfig, Refusal> {
    let text = |name: &str| params.0.text(name).unwrap_or_default().to_owned();
    let network = match params.0.text("networkmode") {
        Some("default") | None => String::new(),
        Some(mode) => mode.to_owned(),
    };
    let hosts = params.0.text("extrahosts").unwrap_or_default();
    let hosts: Vec<String> = match json_list(params, "extrahosts") {
        Ok(list) => list,
        Err(_) => hosts.split(',').map(str::to_owned).collect(),
    };
    let ulimits: Vec<Ulimit> = json_list(params, "ulimits")?;
    let security: Vec<String> = json_list(params, "securityopt")?;
    Ok(HostConfig {
        network_mode: network,
        extra_hosts: Some(hosts),
        shm_size: params.number("shmsize")?.unwrap_or_default(),
        memory: params.number("memory")?.unwrap_or_default(),
        memory_swap: params.number("memswap")?.unwrap_or_default(),
        cpu_shares: params.number("cpushares")?.unwrap_or_default(),
        cpu_period: params.number("cpuperiod")?.unwrap_or_default(),
        cpu_quota: params.number("cpuquota")?.unwrap_or_default(),
        cpuset_cpus: text("cpusetcpus"),
        cpuset_mems: text("cpusetmems"),
        ulimits: Some(ulimits),
        cgroup_parent: text("cgroupparent"),
        security_opt: Some(security),
        ..HostConfig::default()
    })
}

/// A list in JSON; empty if there is none.
fn json_list<T: DeserializeOwned>(params: &Params, name: &str) -> Result<Vec<T>, Refusal> {
    let Some(text) = params.0.text(name) else {
        return Ok(Vec::new());
    };
    let list: Option<Vec<T>> =
        serde_json::from_str(text).map_err(|e| Refusal::bad(format!("invalid {name}: {e}")))?;
    Ok(list.unwrap_or_default())
}

struct Progress {
    build: UnderWay,
    tags: Vec<String>,
    quiet: bool,
    steps: Vec<Step>,
    /// Of the command that failed.
    code: i64,
}

fn answer(progress: Progress) -> Response {
    let lines = stream::unfold(progress, |mut progress| async move {
        let text = progress.next().await?;
        Some((Ok::<_, Infallible>(text), progress))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Progress {
    async fn next(&mut self) -> Option<String> {
        while let Some(event) = self.build.events.recv().await {
            let text = self.text(event);
            if !self.quiet && !text.is_empty() {
                return Some(Message::stream(text).line());
            }
        }
        let result = self.build.ended.take()?.await;
        Some(match result {
            Ok(Ok(built)) => built.image.map_or_else(String::new, |id| self.done(&id)),
            Ok(Err(error)) => {
                let mut text = error.chain();
                if let Some(hint) = &error.hint {
                    text = format!("{text}\n{hint}");
                }
                let mut message = Message::error(text);
                if let Some(detail) = &mut message.error_detail {
                    // Docker's command ends with it.
                    detail.code = self.code;
                }
                message.line()
            }
            Err(_) => Message::error("the engine is ending").line(),
        })
    }

    fn done(&self, id: &ImageId) -> String {
        let aux = Message {
            aux: Some(json!({ "ID": id.to_string() })),
            ..Message::default()
        };
        if self.quiet {
            return aux.line() + &Message::stream(format!("{id}\n")).line();
        }
        let short: String = id
            .to_string()
            .trim_start_matches("sha256:")
            .chars()
            .take(12)
            .collect();
        let mut out = aux.line() + &Message::stream(format!("Successfully built {short}\n")).line();
        for tag in &self.tags {
            out += &Message::stream(format!("Successfully tagged {tag}\n")).line();
        }
        out
    }

    fn text(&mut self, event: BuildEvent) -> String {
        match event.what {
            What::Planned(steps) => {
                self.steps = steps;
                String::new()
            }
            What::Started(step) => {
                let name = self.steps.get(step).map_or("", |step| step.name.as_str());
                format!("Step {}/{} : {name}\n", step + 1, self.steps.len())
            }
            What::Cached(_) => " ---> Using cache\n".to_owned(),
            What::Output { bytes, .. } => String::from_utf8_lossy(&bytes).into_owned(),
            What::Done { key, .. } => {
                format!(" ---> {}\n", key.chars().take(12).collect::<String>())
            }
            What::Failed { code, .. } => {
                self.code = code.unwrap_or(self.code);
                String::new()
            }
            What::Warning(warning) if warning.detail.is_empty() => format!("{}\n", warning.message),
            What::Warning(warning) => warning.detail,
        }
    }
}
