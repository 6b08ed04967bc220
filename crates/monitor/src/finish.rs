//! From the program's end to the monitor's own.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use failpoint::failpoint;
use kernel::process::{Executable, ExitStatus, Spawn};
use protocol::{ExecId, ExitRecord, Reply};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::client::Role;
use crate::clock;
use crate::error::{During, Error, Result};
use crate::launch::Network;
use crate::record::{Lasting, Place};
use crate::restart::Wanted;
use crate::serve::{FAREWELL, Monitor};
use crate::streams::Got;

/// How long output is waited for that somebody outside the container can still write: normally all writers have died with the
/// container's first process, and the end comes at once.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// A container that lived no longer may have ended before its launcher could promise to remove it (unix nanoseconds).
const YOUTH: u64 = 1_000_000_000;
/// How long that launcher has to remove it by itself.
const HEAD_START: Duration = Duration::from_millis(300);
/// How long a killed exec may take to end.
const LAST_BREATH: Duration = Duration::from_secs(2);

impl Monitor {
    /// The container's first process ended: clears up, writes it down, tells, unless it is to be started again.
    pub(crate) fn finish(&mut self) {
        let Some(record) = self.clear_up() else {
            return;
        };
        if !self.goes_on(&record) {
            self.conclude(record);
        }
    }

    /// Takes away what is left of a run; none if it has not ended.
    fn clear_up(&mut self) -> Option<ExitRecord> {
        let mut errors = Vec::new();
        let status = match self.container.pidfd.try_wait() {
            Ok(Some(status)) => status,
            Ok(None) => return None,
            Err(error) => {
                errors.push(format!("exit status is unknown: {error}: {}", error.source));
                ExitStatus::Exited(255)
            }
        };
        let finished_at = clock::now();
        let oom_killed = self.container.was_short_of_memory();
        note(&mut errors, self.container.kill_rest());
        self.drain();
        failpoint!("monitor.exit.drained");
        self.end_execs();
        self.end_health();
        note(&mut errors, self.container.clear());
        Some(ExitRecord {
            v: ExitRecord::VERSION,
            code: status.code(),
            signal: match status {
                ExitStatus::Signaled(signal) => Some(signal),
                ExitStatus::Exited(_) => None,
            },
            oom_killed,
            error: errors.join("; "),
            started_at: self.state.started_at,
            finished_at,
            restarts: self.restarts.count,
            stopped: self.restarts.wanted == Wanted::End,
        })
    }

    /// It has ended for good.
    pub(crate) fn conclude(&mut self, record: ExitRecord) {
        self.container.unmount();
        // Its links go with its namespace.
        self.was_on_networks = self.network.is_known();
        self.network = Network::default();
        failpoint!("monitor.exit.cleared");
        // Without it, the engine says that it knows no code.
        drop(self.write_down(&record));
        if !self.is_between() {
            self.chronicle.record_end(&record);
        }
        failpoint!("monitor.exit.recorded");
        self.release();
        failpoint!("monitor.exit.released");
        self.ended = Some(record);
        self.patience = Some(Instant::now() + FAREWELL);
        self.tell();
        failpoint!("monitor.exit.told");
    }

    /// Undoes a launch that failed after the program was started.
    pub(crate) fn abandon(&mut self) {
        drop(self.container.pidfd.signal(kernel::signal::SIGKILL));
        drop(self.container.pidfd.wait());
        drop(self.container.kill_rest());
        drop(self.container.clear());
        self.container.unmount();
        Place::forget(&self.container_dir);
        self.release();
    }

    /// Reads what output is left, until its end.
    fn drain(&mut self) {
        // Ours: while it is open, a terminal has no end.
        self.terminal_end = None;
        let deadline = Instant::now() + LAST_WORDS;
        while !self.sources.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds: Vec<PollFd<'_>> = self.sources.iter().map(readable).collect();
            if poll(&mut fds, Timespec::try_from(left).ok().as_ref()) == Ok(0) {
                break;
            }
            let now = clock::now();
            // A writer outside the container could go on for ever.
            let late = left.is_zero();
            let output = &mut self.output;
            self.sources
                .retain(|source| output.take(source, now) != Got::End && !late);
        }
        self.sources.clear();
        self.output.settle(clock::now());
        self.output.rest();
        self.feed();
    }

    /// Execs are killed with the pid namespace, or with the cgroup if they share another's.
    fn end_execs(&mut self) {
        let deadline = Instant::now() + LAST_BREATH;
        let mut ended: Vec<(ExecId, i32)> = Vec::new();
        for (id, exec) in self.execs.running() {
            let left = deadline.saturating_duration_since(Instant::now());
            let status = match exec.pidfd.wait_end(left) {
                Ok(true) => exec.pidfd.try_wait().ok().flatten(),
                Ok(false) | Err(_) => None,
            };
            let code = status.map_or(137, ExitStatus::code);
            ended.push((id.clone(), code));
        }
        for (id, code) in ended {
            self.exec_ended(&id, code);
        }
    }

    fn write_down(&mut self, record: &ExitRecord) -> Result<()> {
        let lasting = if self.orders.auto_remove {
            Lasting::No
        } else {
            Lasting::Yes
        };
        match self.place.take() {
            Some(place) => place.fill(&self.container_dir, record, lasting),
            // Between two runs: the room was used for the end of the last.
            None => Place::renew(&self.container_dir)?.fill(&self.container_dir, record, lasting),
        }
    }

    /// From here on there is no monitor, for whoever asks: the container may be started or removed.
    fn release(&mut self) {
        // The engine locked the directory with the snapshot's mount, which is gone by now. It must not wait for our exit.
        let _unlocked_at_exit =
            rustix::fs::flock(&self.container_dir, rustix::fs::FlockOperation::Unlock);
        if let Some(claim) = self.claim.take() {
            claim.release();
        }
    }

    fn tell(&mut self) {
        // Who has connected and asked already gets an answer.
        self.accept();
        self.listener = None;
        for mut client in std::mem::take(&mut self.clients) {
            self.listen_to(&mut client);
            self.clients.push(client);
        }
        let Some(record) = self.ended.clone() else {
            return;
        };
        let mut promised = false;
        for client in &mut self.clients {
            match &mut client.role {
                Role::Waiting { remove } => {
                    let remove = *remove;
                    client.role = Role::Asking;
                    client.reply(&Reply::Exited(record.clone()));
                    // A reply that nobody takes is no promise kept.
                    promised |= remove && !client.is_gone();
                }
                Role::Attached { follower, .. } => follower.pin(),
                Role::Asking | Role::Exec(_) => {}
            }
        }
        self.feed();
        let now = Instant::now();
        self.call_at = if self.orders.auto_remove && !promised {
            let young = record.finished_at.saturating_sub(record.started_at) < YOUTH;
            Some(if young { now + HEAD_START } else { now })
        } else if self.was_on_networks && !self.orders.auto_remove {
            Some(now)
        } else {
            None
        };
    }

    /// Tells who waits how a run ended that will be followed by another; who is attached gets no more than the rest of it.
    pub(crate) fn tell_waiting(&mut self, record: &ExitRecord) {
        for client in &mut self.clients {
            match &mut client.role {
                Role::Waiting { .. } => {
                    client.role = Role::Asking;
                    client.reply(&Reply::Exited(record.clone()));
                }
                Role::Attached { .. } => client.end_with_run(),
                Role::Asking | Role::Exec(_) => {}
            }
        }
        self.feed();
    }

    /// Has the container removed, or what it has on networks given back, when that is due and nobody has done it.
    pub(crate) fn call_engine_if_due(&mut self) {
        let due = self.call_at.take_if(|at| *at <= Instant::now());
        let gone = || rustix::fs::fstat(&self.container_dir).is_ok_and(|stat| stat.st_nlink == 0);
        if due.is_some() && !gone() {
            drop(self.call_engine());
        }
    }

    /// Runs the engine's command that removes the container, or gives back what it has.
    fn call_engine(&self) -> Result<()> {
        let command = if self.orders.auto_remove {
            &self.orders.remove_command
        } else {
            &self.orders.leave_command
        };
        let Some(program) = command.first() else {
            return Ok(());
        };
        let exe = Executable::Path(PathBuf::from(program));
        let args = command.iter().map(OsString::from);
        let mut spawn = Spawn::new(exe, args);
        for (name, value) in &self.orders.remove_env {
            spawn = spawn.env(name, value);
        }
        spawn.setsid = true;
        spawn.start().during("clear up after the container")?;
        Ok(())
    }

    /// Whether the container is still to be removed, or somebody to be told who has not had enough time.
    pub(crate) fn is_needed(&self) -> bool {
        let time = self.patience.is_none_or(|end| Instant::now() < end);
        let busy = time && self.clients.iter().any(crate::client::Client::is_busy);
        busy || self.call_at.is_some()
    }
}

fn readable(source: &crate::streams::Source) -> PollFd<'_> {
    PollFd::from_borrowed_fd(source.fd.as_fd(), PollFlags::IN)
}

fn note(errors: &mut Vec<String>, result: Result<(), Error>) {
    if let Err(error) = result {
        errors.push(format!("{error}: {}", error.reason()));
    }
}
