//! Looking whether the container is well: a program in it that is run from time to time.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use kernel::process::PidFd;
use kernel::signal::SIGKILL;
use protocol::health::{Counts, Health, Look, Verdict};
use protocol::{Nanos, Probe, Process};
use runtime::Stdio;
use rustix::fs::Mode;

use crate::clock;
use crate::error::{During, Result};
use crate::serve::Monitor;
use crate::streams::from_program;

/// What is known of the container's health, and the look that is under way.
#[derive(Debug)]
pub(crate) struct Doctor {
    probe: Probe,
    health: Health,
    /// When the next look begins.
    next: Option<Instant>,
    look: Option<Running>,
}

/// A look that is under way.
#[derive(Debug)]
struct Running {
    pidfd: PidFd,
    began: Nanos,
    deadline: Instant,
    /// What it writes, until its end.
    source: Option<OwnedFd>,
    output: Vec<u8>,
    late: bool,
}

impl Doctor {
    pub(crate) fn new(probe: Probe) -> Self {
        Self {
            probe,
            health: Health::default(),
            next: None,
            look: None,
        }
    }

    /// When something is to be done.
    pub(crate) fn due(&self) -> Option<Instant> {
        match &self.look {
            Some(look) if look.late => None,
            Some(look) => Some(look.deadline),
            None => self.next,
        }
    }

    /// The program that looks, if it runs.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.look.as_ref().map(|look| look.pidfd.as_fd())
    }

    /// What it writes.
    pub(crate) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.look.as_ref()?.source.as_ref().map(AsFd::as_fd)
    }

    /// How long until the next look of a container that runs since `started_at`.
    fn pause(&self, started_at: Nanos) -> Duration {
        let early = clock::now().saturating_sub(started_at) < self.probe.start_period;
        let nanos = if early && self.health.verdict == Verdict::Starting {
            self.probe.start_interval
        } else {
            self.probe.interval
        };
        Duration::from_nanos(nanos)
    }

    /// Reads what the program wrote: more than is kept is thrown away.
    fn read(&mut self) {
        let Some(look) = &mut self.look else {
            return;
        };
        let mut chunk = [0; 4096];
        while let Some(source) = &look.source {
            match rustix::io::read(source, &mut chunk) {
                Ok(0) => look.source = None,
                Ok(n) => {
                    let room = (Health::OUTPUT + 1).saturating_sub(look.output.len());
                    look.output.extend_from_slice(&chunk[..n.min(room)]);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                Err(_) => look.source = None,
            }
        }
    }
}

impl Monitor {
    /// The program was started: nothing is known of its health.
    pub(crate) fn begin_health(&mut self) {
        let Some(doctor) = &mut self.doctor else {
            return;
        };
        if doctor.health.looks.is_empty()
            && let Ok(Some(before)) = Health::read(&self.container_dir)
        {
            doctor.health.looks = before.looks;
        }
        doctor.health.verdict = Verdict::Starting;
        doctor.health.streak = 0;
        doctor.look = None;
        doctor.next = Some(Instant::now() + doctor.pause(self.state.started_at));
        // Whoever asks is told of the last look that could be written down.
        drop(doctor.health.write(&self.container_dir));
    }

    /// The program ended: nobody looks any more.
    pub(crate) fn end_health(&mut self) {
        if let Some(doctor) = &mut self.doctor {
            doctor.next = None;
            if let Some(look) = doctor.look.take() {
                // It dies with the container; it must not stay a zombie.
                drop(look.pidfd.signal(SIGKILL));
                drop(look.pidfd.wait_end(Duration::from_secs(1)));
                drop(look.pidfd.try_wait());
            }
        }
    }

    /// Begins a look, or ends one that takes too long.
    pub(crate) fn look_if_due(&mut self) {
        let due = self.doctor.as_ref().and_then(Doctor::due);
        if due.is_none_or(|due| due > Instant::now()) {
            return;
        }
        let paused = self.is_paused();
        let Some(doctor) = &mut self.doctor else {
            return;
        };
        match &mut doctor.look {
            Some(look) => {
                look.late = true;
                drop(look.pidfd.signal(SIGKILL));
            }
            // Nothing moves in there.
            None if paused => self.schedule(),
            None => self.look(),
        }
    }

    fn schedule(&mut self) {
        let started_at = self.state.started_at;
        if let Some(doctor) = &mut self.doctor {
            doctor.next = Some(Instant::now() + doctor.pause(started_at));
        }
    }

    fn look(&mut self) {
        let Some(doctor) = &mut self.doctor else {
            return;
        };
        doctor.next = None;
        let began = clock::now();
        match begin(&self.container, &doctor.probe) {
            Ok((pidfd, source)) => {
                let timeout = Duration::from_nanos(doctor.probe.timeout);
                doctor.look = Some(Running {
                    pidfd,
                    began,
                    deadline: Instant::now() + timeout,
                    source: Some(source),
                    output: Vec::new(),
                    late: false,
                });
            }
            Err(error) => self.take_look(Look {
                start: began,
                end: clock::now(),
                code: -1,
                output: error.reason(),
            }),
        }
    }

    pub(crate) fn read_look(&mut self) {
        if let Some(doctor) = &mut self.doctor {
            doctor.read();
        }
    }

    /// The program that looked may have ended.
    pub(crate) fn reap_look(&mut self) {
        let Some(doctor) = &mut self.doctor else {
            return;
        };
        let status = match &doctor.look {
            Some(look) => look.pidfd.try_wait(),
            None => return,
        };
        let code = match status {
            Ok(None) => return,
            Ok(Some(status)) => status.code(),
            Err(_) => -1,
        };
        doctor.read();
        let Some(look) = doctor.look.take() else {
            return;
        };
        let timeout = Duration::from_nanos(doctor.probe.timeout);
        let (code, output) = if look.late {
            let text = format!("Health check exceeded timeout ({timeout:?})");
            let said = text_of(&look.output);
            match said.is_empty() {
                true => (-1, text),
                false => (-1, format!("{text}: {said}")),
            }
        } else {
            (code, text_of(&look.output))
        };
        self.take_look(Look {
            start: look.began,
            end: clock::now(),
            code,
            output,
        });
    }

    fn take_look(&mut self, look: Look) {
        let started_at = self.state.started_at;
        let Some(doctor) = &mut self.doctor else {
            return;
        };
        let before = doctor.health.verdict;
        let early = look.start.saturating_sub(started_at) < doctor.probe.start_period;
        let counts = if before == Verdict::Starting && early {
            Counts::No
        } else {
            Counts::Yes
        };
        doctor.health.take(look, doctor.probe.retries, counts);
        drop(doctor.health.write(&self.container_dir));
        let after = doctor.health.verdict;
        if after != before {
            let action = format!("health_status: {}", after.name());
            self.chronicle.record(action, &[]);
        }
        self.schedule();
    }
}

/// What was written, as text; what was too much is cut away.
fn text_of(output: &[u8]) -> String {
    let kept = &output[..output.len().min(Health::OUTPUT)];
    let mut text = String::from_utf8_lossy(kept).into_owned();
    if output.len() > Health::OUTPUT {
        text.push_str("...");
    }
    text
}

/// Starts the program that looks: its process, and what both its streams write to.
fn begin(container: &crate::container::Container, probe: &Probe) -> Result<(PidFd, OwnedFd)> {
    let op = "check health";
    let (output, source) = from_program().during(op)?;
    let error = output.try_clone().during(op)?;
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let input =
        rustix::fs::openat(rustix::fs::CWD, "/dev/null", flags, Mode::empty()).during(op)?;
    let process = Process {
        args: probe.args.clone(),
        env: Vec::new(),
        cwd: None,
        user: None,
        tty: false,
        open_stdin: false,
        privileged: false,
        detach_keys: None,
    };
    let stdio = Stdio::Pipes {
        input,
        output,
        error,
    };
    let executed = container.exec(&process, stdio)?;
    Ok((executed.pidfd, source))
}
