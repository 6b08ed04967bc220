//! Containers: what was asked for, what is known, and everything that can be done with them.

pub(crate) mod attach;
pub(crate) mod check;
pub(crate) mod commit;
mod config;
mod copy;
mod create;
mod export;
mod files;
pub(crate) mod health;
pub(crate) mod list;
pub(crate) mod lookup;
pub(crate) mod merge;
pub(crate) mod mounts;
mod names;
pub(crate) mod pause;
mod prune;
pub(crate) mod remove;
mod rename;
mod revive;
mod start;
mod stats;
pub(crate) mod step;
mod stop;
pub(crate) mod stored;
mod top;
mod update;
mod view;
mod wait;

use spec::{ContainerId, ImageId};
use tokio::io::AsyncRead;

pub use crate::stdin::StdinWriter;
pub use commit::{CommitRequest, Pause};
pub use config::{
    BindOptions, BlockRate, BlockWeight, Config, Device, Healthcheck, HostConfig, LogConfig,
    MountKind, MountRequest, PortBinding, RestartPolicy, TmpfsOptions, Ulimit, VolumeOptions,
};
pub use copy::{PathStat, PutRequest};
pub use health::{Health, HealthLook, HealthStatus};
pub(crate) use start::reap;
pub use stats::{CpuUsage, IoCount, MemoryUsage, Meter, NetworkUsage, Sample};
pub use store::{Change, ChangeKind};
pub use top::Processes;
pub use update::UpdateRequest;
pub use view::{Filters, Inspect, ListRequest, MountPoint, State, Status, Summary};
pub use wait::Waiting;

use crate::error::{Error, Kind, Result};
use crate::event::Happened;
use crate::image::intake;
use crate::link;
use crate::log::{self, LogRequest, Logs, Records};
use crate::network::EndpointRequest;
use crate::open::Engine;
use crate::outlet::{self, Outlet};
use crate::prune::{PruneFilters, Pruned};
use copy::Asked;

/// A container to make.
#[derive(Debug, Clone)]
pub struct CreateRequest {
    /// Its name, perhaps with a slash before it; made up if none.
    pub name: Option<String>,
    /// The platform that its image must have; the machine's if none.
    pub platform: Option<spec::Platform>,
    /// What runs in it.
    pub config: Config,
    /// What the host does for it.
    pub host: HostConfig,
    /// What it wants of networks, by their names.
    pub networks: std::collections::BTreeMap<String, EndpointRequest>,
}

/// A container that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its id.
    pub id: ContainerId,
    /// What is not as was asked.
    pub warnings: Vec<String>,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitCondition {
    /// That it does not run; true at once if it doesn't.
    NotRunning,
    /// Its next exit, even if it has not been started yet.
    NextExit,
    /// That it is gone.
    Removed,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128 + signal if a signal ended it.
    pub code: i64,
    /// Why the engine could not tell, if so.
    pub error: Option<String>,
}

/// What to attach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachRequest {
    /// Write its standard input.
    pub stdin: bool,
    /// Read its standard output.
    pub stdout: bool,
    /// Read its standard error.
    pub stderr: bool,
    /// First all that it wrote so far.
    pub logs: bool,
    /// What it writes from now on.
    pub stream: bool,
}

/// A container's streams. Of a container that does not run yet they wait until it does, and miss nothing.
#[derive(Debug)]
pub struct Attached {
    /// Its id.
    pub id: ContainerId,
    /// Whether it has a terminal: its bytes go out as they are, not in frames.
    pub tty: bool,
    /// What it writes; ends with the container.
    pub output: Records,
    /// Its standard input, if asked for and if it has one.
    pub stdin: Option<StdinWriter>,
}

/// How to stop a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopRequest {
    /// The signal, by name or number; the container's if none.
    pub signal: Option<String>,
    /// Seconds until it is killed; the container's if none, never if negative.
    pub timeout: Option<i64>,
}

/// How to remove a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoveRequest {
    /// Kill it first if it runs.
    pub force: bool,
    /// Also the volumes that were made for it without a name.
    pub volumes: bool,
}

/// What can be done with containers. A container is named by its name, its id or a prefix of its id that no other has.
#[derive(Debug, Clone)]
pub struct Containers {
    pub(crate) engine: Engine,
}

impl Containers {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Makes a container; starts nothing.
    ///
    /// # Errors
    /// No such image, the name is taken, or something asked for can't be done.
    pub async fn create(&self, request: CreateRequest) -> Result<Created> {
        // A new volume may have to be filled, which takes long.
        let long = create::needs_time(&request);
        let make = move |engine: &Engine| create::create(engine, request);
        if long {
            self.engine.long(make).await
        } else {
            self.engine.step(make).await
        }
    }

    /// Starts a container: when it returns, its program has been executed.
    ///
    /// # Errors
    /// No such container; [`Kind::NotModified`] if it runs; [`Kind::CommandNotFound`] and
    /// [`Kind::CommandNotExecutable`] for its program.
    pub async fn start(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| start::start(engine, &name))
            .await
    }

    /// Asks the program to end, kills it after the timeout.
    ///
    /// # Errors
    /// No such container; [`Kind::NotModified`] if it does not run.
    pub async fn stop(&self, name: &str, request: StopRequest) -> Result<()> {
        stop::stop(&self.engine, name, request).await
    }

    /// Stops a container and starts it again.
    ///
    /// # Errors
    /// As [`Containers::stop`] and [`Containers::start`].
    pub async fn restart(&self, name: &str, request: StopRequest) -> Result<()> {
        match self.stop(name, request).await {
            Err(error) if error.kind != Kind::NotModified => return Err(error),
            _ => self.start(name).await?,
        }
        let name = name.to_owned();
        self.engine
            .step(move |engine| {
                // One that was to go when it ended, and ended at once, is not there any more.
                if let Ok(row) = lookup::find(&engine.0, &name) {
                    engine.0.record(Happened::to_container(&row, "restart"));
                }
                Ok(())
            })
            .await
    }

    /// Sends a signal (`KILL` if none) to the program; waits until a `KILL` has ended it.
    ///
    /// # Errors
    /// No such container, no such signal, or it does not run.
    pub async fn kill(&self, name: &str, signal: Option<&str>) -> Result<()> {
        stop::kill(&self.engine, name, signal).await
    }

    /// Stops all processes of a container until [`Containers::resume`].
    ///
    /// # Errors
    /// No such container, it does not run, or is paused already.
    pub async fn pause(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let pause = move |engine: &Engine| pause::pause(engine, &name);
        self.engine.step(pause).await
    }

    /// Lets the processes of a paused container go on.
    ///
    /// # Errors
    /// No such container, or it is not paused.
    pub async fn resume(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let resume = move |engine: &Engine| pause::resume(engine, &name);
        self.engine.step(resume).await
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// No such container, or the name is wrong or taken.
    pub async fn rename(&self, name: &str, new: &str) -> Result<()> {
        let (name, new) = (name.to_owned(), new.to_owned());
        let rename = move |engine: &Engine| rename::rename(engine, &name, &new);
        self.engine.step(rename).await
    }

    /// Changes limits of a container, also while it runs.
    ///
    /// # Errors
    /// No such container, a limit that can't be, or one that the kernel refuses.
    pub async fn update(&self, name: &str, request: UpdateRequest) -> Result<()> {
        let name = name.to_owned();
        let update = move |engine: &Engine| update::update(engine, &name, &request);
        self.engine.step(update).await
    }

    /// The processes in a container, as ps(1) shows them with these options; empty for the usual ones.
    ///
    /// # Errors
    /// No such container, it does not run, or ps does not know the options.
    pub async fn top(&self, name: &str, options: &str) -> Result<Processes> {
        let (name, options) = (name.to_owned(), options.to_owned());
        let top = move |engine: &Engine| top::top(engine, &name, &options);
        self.engine.step(top).await
    }

    /// Begins to read what a container uses.
    ///
    /// # Errors
    /// No such container.
    pub async fn stats(&self, name: &str) -> Result<Meter> {
        let name = name.to_owned();
        let meter = move |engine: &Engine| stats::meter(engine, &name);
        self.engine.step(meter).await
    }

    /// Removes a container.
    ///
    /// # Errors
    /// No such container, or it runs and `force` is not set.
    pub async fn remove(&self, name: &str, request: RemoveRequest) -> Result<()> {
        remove::remove(&self.engine, name, request).await
    }

    /// Takes away a name that a container has for another: `container/name`.
    ///
    /// # Errors
    /// There is no such container or name.
    pub async fn remove_link(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| crate::network::links::remove(&engine.0, &name))
            .await
    }

    /// All containers that match, newest first.
    ///
    /// # Errors
    /// The database can't be read, or a filter names a container that does not exist.
    pub async fn list(&self, request: ListRequest) -> Result<Vec<Summary>> {
        self.engine
            .step(move |engine| list::list(&engine.0, &request))
            .await
    }

    /// Everything about one container; with the size of its files if asked for, which reads all of them.
    ///
    /// # Errors
    /// No such container.
    pub async fn inspect(&self, name: &str, size: bool) -> Result<Inspect> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| list::inspect(&engine.0, &name, size))
            .await
    }

    /// Begins to wait; [`Waiting::exit`] waits.
    ///
    /// # Errors
    /// No such container.
    pub async fn wait(&self, name: &str, condition: WaitCondition) -> Result<Waiting> {
        wait::wait(&self.engine, name, condition).await
    }

    /// Attaches to its streams, also before it is started.
    ///
    /// # Errors
    /// No such container.
    pub async fn attach(&self, name: &str, request: AttachRequest) -> Result<Attached> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| attach::attach(engine, &name, request))
            .await
    }

    /// What it wrote.
    ///
    /// # Errors
    /// No such container.
    pub async fn logs(&self, name: &str, request: LogRequest) -> Result<Logs> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| log::open(engine, &name, &request))
            .await
    }

    /// A tar of all its own files; volumes are empty directories in it.
    ///
    /// # Errors
    /// No such container. What goes wrong later ends the stream with an error.
    pub async fn export(&self, name: &str) -> Result<Outlet> {
        let name = name.to_owned();
        let row = self
            .engine
            .step(move |engine| {
                let row = lookup::find(&engine.0, &name)?;
                engine.0.record(Happened::to_container(&row, "export"));
                Ok(row)
            })
            .await?;
        Ok(outlet::draw(&self.engine, move |engine, out| {
            export::write(&engine.0, &row, out)
        }))
    }

    /// What it changed of its image's files, sorted by path.
    ///
    /// # Errors
    /// No such container.
    pub async fn changes(&self, name: &str) -> Result<Vec<Change>> {
        let name = name.to_owned();
        self.engine
            .long(move |engine| export::changes(&engine.0, &name))
            .await
    }

    /// Makes an image of its files.
    ///
    /// # Errors
    /// No such container, a change of its configuration is malformed, or the disk is full.
    pub async fn commit(&self, name: &str, request: CommitRequest) -> Result<ImageId> {
        let name = name.to_owned();
        self.engine
            .long(move |engine| commit::commit(&engine.0, &name, &request))
            .await
    }

    /// What is at a path in it.
    ///
    /// # Errors
    /// No such container, or nothing is there.
    pub async fn stat(&self, name: &str, path: &str) -> Result<PathStat> {
        let (name, path) = (name.to_owned(), path.to_owned());
        self.engine
            .long(move |engine| {
                let asked = Asked::new(&engine.0, &name, &path)?;
                copy::stat(&engine.0, &asked)
            })
            .await
    }

    /// A tar of what is at a path in it.
    ///
    /// # Errors
    /// No such container. What goes wrong later ends the stream with an error.
    pub async fn get_files(&self, name: &str, path: &str) -> Result<Outlet> {
        let (name, path) = (name.to_owned(), path.to_owned());
        let asked = self
            .engine
            .step(move |engine| Asked::new(&engine.0, &name, &path))
            .await?;
        Ok(outlet::draw(&self.engine, move |engine, out| {
            copy::get(&engine.0, &asked, out)
        }))
    }

    /// Unpacks a tar in the directory at a path in it.
    ///
    /// # Errors
    /// No such container or directory, the archive is malformed, or nothing can be written there.
    pub async fn put_files(
        &self,
        name: &str,
        path: &str,
        request: PutRequest,
        tar: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<()> {
        let (name, path) = (name.to_owned(), path.to_owned());
        intake::pour(&self.engine, tar, move |engine, tar| {
            let asked = Asked::new(&engine.0, &name, &path)?;
            copy::put(&engine.0, &asked, request, tar)
        })
        .await
    }

    /// Removes all that match and do not run.
    ///
    /// # Errors
    /// One can't be removed.
    pub async fn prune(&self, filters: PruneFilters) -> Result<Pruned<ContainerId>> {
        self.engine
            .long(move |engine| prune::prune(&engine.0, &filters))
            .await
    }

    /// Gives its terminal another size.
    ///
    /// # Errors
    /// No such container, it does not run, or it has no terminal.
    pub async fn resize(&self, name: &str, rows: u16, columns: u16) -> Result<()> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| {
                let row = lookup::find(&engine.0, &name)?;
                let request = protocol::Request::Resize {
                    rows,
                    cols: columns,
                    exec: None,
                };
                match link::ask(&engine.0, &row.id, &request)? {
                    Some(_) => {
                        let resized = Happened::to_container(&row, "resize");
                        let resized = resized.with("height", rows).with("width", columns);
                        engine.0.record(resized);
                        Ok(())
                    }
                    None => Err(Error::conflict(format!(
                        "Container {} is not running",
                        row.id
                    ))),
                }
            })
            .await
    }
}
