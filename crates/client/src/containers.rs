//! Containers.

use api::container::{
    ContainerInspect, ContainerSummary, CreateRequest, CreateResponse, WaitResponse,
};
use api::exec::ExecConfig;
use api::query::path_segment;
use api::{Filters, IdResponse, Query};
use bytes::Bytes;
use http::StatusCode;
use tokio::io::AsyncReadExt as _;

use crate::error::{Error, Result};
use crate::stream::{Download, Hijacked};
use crate::transport::{Call, Client};

/// What can be done with containers. A container is named by name, id or a prefix of its id.
#[derive(Debug, Clone, Copy)]
pub struct Containers<'a>(pub(crate) &'a Client);

/// Which containers to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerListQuery {
    /// Also those that do not run.
    pub all: bool,
    /// The newest so many, running or not.
    pub limit: Option<i64>,
    /// With the size of their files.
    pub size: bool,
    /// Only those that match.
    pub filters: Filters,
}

/// What to attach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachQuery {
    /// Write its standard input.
    pub stdin: bool,
    /// Read its standard output.
    pub stdout: bool,
    /// Read its standard error.
    pub stderr: bool,
    /// First all that it wrote so far.
    pub logs: bool,
    /// Keys that detach; the engine's if empty.
    pub detach_keys: String,
}

/// Which part of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogsQuery {
    /// Of standard output.
    pub stdout: bool,
    /// Of standard error.
    pub stderr: bool,
    /// Go on until the container ends.
    pub follow: bool,
    /// A time before each line.
    pub timestamps: bool,
    /// Seconds since 1970, or RFC 3339; from the beginning if empty.
    pub since: String,
    /// The same; to the end if empty.
    pub until: String,
    /// How many lines; all if empty.
    pub tail: String,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitCondition {
    /// That it does not run.
    NotRunning,
    /// Its next exit.
    NextExit,
    /// That it is gone.
    Removed,
}

/// A wait that the engine has begun.
#[derive(Debug)]
pub struct Waiting(Download);

impl Waiting {
    /// Waits for it.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn exit(mut self) -> Result<WaitResponse> {
        let mut body = Vec::new();
        let read = self.0.read_to_end(&mut body).await;
        read.map_err(|e| Error::protocol("read answer", e))?;
        api::decode(&body).map_err(|e| Error::protocol("decode answer", e))
    }
}

impl Containers<'_> {
    /// Makes a container.
    ///
    /// # Errors
    /// The engine refuses or can't be reached; so with all that follow.
    pub async fn create(
        &self,
        name: &str,
        platform: &str,
        request: &CreateRequest,
    ) -> Result<CreateResponse> {
        let query = Query::new().with("name", name).with("platform", platform);
        self.0
            .fetch(
                Call::post("/containers/create")
                    .query(query)
                    .json(request)?,
            )
            .await
    }

    /// Starts a container; false if it runs already.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn start(&self, name: &str) -> Result<bool> {
        let answer = self.0.call(Call::post(&path(name, "/start"))).await?;
        Ok(answer.status() != StatusCode::NOT_MODIFIED)
    }

    /// Stops a container; false if it does not run. Seconds until it is killed: its own if none, never if negative.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn stop(
        &self,
        name: &str,
        signal: Option<&str>,
        seconds: Option<i64>,
    ) -> Result<bool> {
        let query = Query::new()
            .with("signal", signal.unwrap_or_default())
            .with_number("t", seconds);
        let answer = self
            .0
            .call(Call::post(&path(name, "/stop")).query(query))
            .await?;
        Ok(answer.status() != StatusCode::NOT_MODIFIED)
    }

    /// Stops a container and starts it again.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn restart(
        &self,
        name: &str,
        signal: Option<&str>,
        seconds: Option<i64>,
    ) -> Result<()> {
        let query = Query::new()
            .with("signal", signal.unwrap_or_default())
            .with_number("t", seconds);
        self.0
            .run(Call::post(&path(name, "/restart")).query(query))
            .await
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn kill(&self, name: &str, signal: Option<&str>) -> Result<()> {
        let query = Query::new().with("signal", signal.unwrap_or_default());
        self.0
            .run(Call::post(&path(name, "/kill")).query(query))
            .await
    }

    /// Removes a container.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn remove(&self, name: &str, force: bool, volumes: bool) -> Result<()> {
        let query = Query::new()
            .with_flag("force", force)
            .with_flag("v", volumes);
        self.0.run(Call::delete(&path(name, "")).query(query)).await
    }

    /// Lists containers.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn list(&self, query: &ContainerListQuery) -> Result<Vec<ContainerSummary>> {
        let query = Query::new()
            .with_flag("all", query.all)
            .with_number("limit", query.limit)
            .with_flag("size", query.size)
            .with("filters", query.filters.encode());
        self.0
            .fetch(Call::get("/containers/json").query(query))
            .await
    }

    /// Everything about a container.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn inspect(&self, name: &str) -> Result<ContainerInspect> {
        self.0.fetch(Call::get(&path(name, "/json"))).await
    }

    /// The same as the engine wrote it, with the size of its files if asked for.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn inspect_raw(&self, name: &str, size: bool) -> Result<Bytes> {
        let query = Query::new().with_flag("size", size);
        self.0
            .fetch_raw(Call::get(&path(name, "/json")).query(query))
            .await
    }

    /// Begins to wait: when this returns, whatever happens counts.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn wait(&self, name: &str, condition: WaitCondition) -> Result<Waiting> {
        let condition = match condition {
            WaitCondition::NotRunning => "not-running",
            WaitCondition::NextExit => "next-exit",
            WaitCondition::Removed => "removed",
        };
        let query = Query::new().with("condition", condition);
        self.0
            .download(Call::post(&path(name, "/wait")).query(query))
            .await
            .map(Waiting)
    }

    /// Attaches to its streams.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn attach(&self, name: &str, query: &AttachQuery) -> Result<Hijacked> {
        let query = Query::new()
            .with_flag("stream", true)
            .with_flag("stdin", query.stdin)
            .with_flag("stdout", query.stdout)
            .with_flag("stderr", query.stderr)
            .with_flag("logs", query.logs)
            .with("detachKeys", query.detach_keys.clone());
        self.0
            .hijack(Call::post(&path(name, "/attach")).query(query))
            .await
    }

    /// What it wrote.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn logs(&self, name: &str, query: &LogsQuery) -> Result<Download> {
        let query = Query::new()
            .with_flag("stdout", query.stdout)
            .with_flag("stderr", query.stderr)
            .with_flag("follow", query.follow)
            .with_flag("timestamps", query.timestamps)
            .with("since", query.since.clone())
            .with("until", query.until.clone())
            .with("tail", query.tail.clone());
        self.0
            .download(Call::get(&path(name, "/logs")).query(query))
            .await
    }

    /// Gives its terminal another size.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn resize(&self, name: &str, rows: u16, columns: u16) -> Result<()> {
        let query = Query::new()
            .with_number("h", Some(rows))
            .with_number("w", Some(columns));
        self.0
            .run(Call::post(&path(name, "/resize")).query(query))
            .await
    }

    /// Prepares a program in it; gives its id.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn exec(&self, name: &str, config: &ExecConfig) -> Result<String> {
        let path = path(name, "/exec");
        let call = Call::post(&path).json(config)?;
        self.0
            .fetch::<IdResponse>(call)
            .await
            .map(|response| response.id)
    }
}

pub(crate) fn path(name: &str, rest: &str) -> String {
    format!("/containers/{}{rest}", path_segment(name))
}
