//! What the engine and a container's monitor say to each other, and the files between them.
//!
//! Does not know who speaks: both sides use the same values. Everything here carries a version, everything that is read
//! has a limit, and garbage gives an error that names it, never a panic and never an allocation of its size.
//!
//! Read [`launch`] first (what a monitor is told), then [`message`] (what it can be asked) over [`Connection`], then
//! [`state`] (is it alive), [`condition`] (and how), [`ExitRecord`] (how it ended), [`log`] (what it said), [`names`]
//! (whom its programs know by name) and [`event`] (what happened).

pub mod condition;
mod connection;
mod error;
pub mod event;
mod exec_id;
mod exit;
pub mod frame;
pub mod health;
pub mod launch;
pub mod log;
pub mod message;
pub mod names;
mod policy;
pub mod state;

pub use condition::{Condition, Phase};
pub use connection::Connection;
pub use error::{Error, Kind, Result};
pub use event::{Event, EventLog, EventReader};
pub use exec_id::ExecId;
pub use exit::ExitRecord;
pub use health::Health;
pub use launch::{GivenFilter, GivenNetwork, Launch, LogLimits, Ready};
pub use message::{ExecInfo, From, Process, Refusal, Reply, Request};
pub use policy::{Probe, Restart};
pub use state as liveness;
pub use state::{Liveness, State, StateLock, probe};

/// Unix time in nanoseconds: the clock of monitors and logs.
pub type Nanos = u64;
