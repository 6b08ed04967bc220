//! Cgroups that are systemd's: it makes them, as scopes, and is told the limits, so that it doesn't undo them when it looks at its units again.
//!
//! Read `unit` (names and properties, pure), then `message` (the wire format of D-Bus, as much as is needed), then `bus` (a connection).

mod bus;
mod message;
#[cfg(test)]
mod tests;
mod unit;

use std::path::{Path, PathBuf};

use kernel::Pid;
use kernel::cgroup::Layout;
use spec::runtime::Resources;

use crate::error::{Error, Result};
use bus::Bus;
use message::Value;

/// The socket of the system's bus.
const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";
/// systemd's own, for root, where there is no bus.
const PRIVATE: &str = "/run/systemd/private";

/// A unit of systemd for one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The unit: `docker-3f2a.scope`.
    unit: String,
    slice: String,
    path: String,
    bus: PathBuf,
    private: Option<PathBuf>,
}

impl Scope {
    /// The unit that `cgroups_path` asks for (`slice:prefix:name`), or the one of `id` for an empty one; of the system's systemd, or of the caller's
    /// own for who isn't root.
    ///
    /// # Errors
    /// It isn't of that form, or a part is no name of a unit.
    pub fn parse(cgroups_path: &str, id: &str) -> Result<Self> {
        let mut scope = unit::parse(cgroups_path, id)?;
        let uid = rustix::process::geteuid();
        if uid.is_root() {
            scope.bus = SYSTEM_BUS.into();
            scope.private = Some(PRIVATE.into());
            return Ok(scope);
        }
        Ok(scope.on_bus(format!("/run/user/{}/bus", uid.as_raw())))
    }

    /// The same, of the systemd behind another bus.
    #[must_use]
    pub fn on_bus(mut self, socket: impl Into<PathBuf>) -> Self {
        self.bus = socket.into();
        self.private = None;
        self
    }

    /// Its cgroup below each hierarchy: what [`crate::Config::cgroup`] must be.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The unit's name.
    #[must_use]
    pub fn unit(&self) -> &str {
        &self.unit
    }

    fn connect(&self) -> Result<Bus> {
        match (Bus::open(&self.bus), &self.private) {
            (Err(_), Some(private)) if private.exists() => Bus::open_private(private),
            (other, _) => other,
        }
    }

    /// Makes the unit with the process `pid` in it, and returns when it is.
    pub(crate) fn start(&self, pid: Pid, layout: &Layout, resources: &Resources) -> Result<()> {
        let mut properties = vec![
            (
                "Description",
                Value::from(format!("container in {}", self.unit)),
            ),
            ("Slice", Value::from(self.slice.clone())),
            ("Delegate", Value::Bool(true)),
            ("DefaultDependencies", Value::Bool(false)),
            (
                "PIDs",
                Value::U32s(vec![pid.as_raw_nonzero().get().unsigned_abs()]),
            ),
        ];
        for accounting in [
            "MemoryAccounting",
            "CPUAccounting",
            "IOAccounting",
            "TasksAccounting",
        ] {
            properties.push((accounting, Value::Bool(true)));
        }
        properties.extend(unit::properties(resources, layout));
        let mut bus = self.connect()?;
        bus.follow_jobs()?;
        let job = bus.call_for_path(
            "StartTransientUnit",
            &[
                Value::from(self.unit.clone()),
                Value::from("fail".to_owned()),
                Value::Properties(properties),
                Value::NoUnits,
            ],
        )?;
        bus.finish(&job, &self.unit)
    }

    /// Tells systemd the limits of `resources`, which [`crate::update`] sets.
    ///
    /// # Errors
    /// systemd can't be reached, or refuses.
    pub fn update(&self, layout: &Layout, resources: &Resources) -> Result<()> {
        let properties = unit::properties(resources, layout);
        if properties.is_empty() {
            return Ok(());
        }
        let args = [
            Value::from(self.unit.clone()),
            Value::Bool(true),
            Value::Properties(properties),
        ];
        self.connect()?.call("SetUnitProperties", &args)?;
        Ok(())
    }

    /// Ends the unit, and forgets how it ended. One that is gone already is no error: systemd removes a scope without processes.
    ///
    /// # Errors
    /// systemd can't be reached, or refuses.
    pub fn stop(&self) -> Result<()> {
        let mut bus = self.connect()?;
        bus.follow_jobs()?;
        let unit = Value::from(self.unit.clone());
        let stopped = bus.call_for_path(
            "StopUnit",
            &[unit.clone(), Value::from("replace".to_owned())],
        );
        match stopped {
            Ok(job) => bus.finish(&job, &self.unit)?,
            Err(error) if bus::is_no_such_unit(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
        match bus.call("ResetFailedUnit", &[unit]) {
            Err(error) if !bus::is_no_such_unit(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether the host was booted with systemd: sd_booted(3).
#[must_use]
pub fn is_booted() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn refused(what: &'static str, why: impl Into<String>) -> Error {
    Error::message(
        crate::error::Kind::Unsupported,
        format!("{what}: {}", why.into()),
    )
}
