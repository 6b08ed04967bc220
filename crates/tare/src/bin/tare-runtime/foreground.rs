//! Waiting for a program: its signals are passed on, its terminal is relayed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::Duration;

use kernel::Pid;
use kernel::process::{ExitStatus, PidFd};
use kernel::signal::{
    SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SignalFd,
};
use kernel::terminal;
use runtime::Stdio;
use spec::runtime::Process;

use crate::fault::{Fault, Result};

/// Signals of this process that are the program's.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

const PASSED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// How late a signal may be passed on.
const LATE: Duration = Duration::from_millis(100);

impl Signals {
    /// From now on signals wait for [`wait`]. `reaper`: so do processes whose parents end, those of a container without a pid namespace of
    /// its own.
    pub(crate) fn catch(reaper: bool) -> Result<Self> {
        let mut signals = PASSED.to_vec();
        signals.push(SIGWINCH);
        if reaper {
            kernel::process::become_subreaper().map_err(Fault::at("reap processes"))?;
            signals.push(SIGCHLD);
        }
        Ok(Self(
            SignalFd::new(&signals).map_err(Fault::at("catch signals"))?,
        ))
    }
}

/// Standard input and output of a program that gets `process`'s terminal, or this process's own.
pub(crate) fn stdio(process: &Process) -> Stdio {
    if !process.terminal {
        return Stdio::Inherited;
    }
    let cells = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    let asked = process
        .console_size
        .map(|s| (cells(s.height), cells(s.width)));
    let own = || {
        terminal::size(std::io::stdin())
            .ok()
            .map(|s| (s.rows, s.cols))
    };
    let (rows, columns) = asked.or_else(own).unwrap_or((0, 0));
    Stdio::Terminal { rows, columns }
}

/// Waits for the program behind `pidfd`, the child `pid`; gives its exit code.
pub(crate) fn wait(
    signals: &Signals,
    pid: Pid,
    pidfd: &PidFd,
    console: Option<OwnedFd>,
) -> Result<u8> {
    let input = std::io::stdin();
    let relay = console.map(Relay::start).transpose()?;
    // Without a terminal of its own this process has no mode to change.
    let raw = relay
        .as_ref()
        .and_then(|_| terminal::RawMode::enter(input.as_fd()).ok());
    let mut reaped = None;
    loop {
        let ended = pidfd
            .wait_end(LATE)
            .map_err(Fault::at("wait for process"))?;
        while let Some(received) = signals.0.read().map_err(Fault::at("read signal"))? {
            match (received.signal, &relay) {
                (SIGWINCH, Some(relay)) => relay.resize(),
                (SIGWINCH, None) => {}
                (SIGCHLD, _) => reaped = reaped.or(reap(pid)?),
                // It may be gone already.
                (signal, _) => drop(pidfd.signal(signal)),
            }
        }
        if ended || reaped.is_some() {
            break;
        }
    }
    let status = match reaped {
        Some(status) => status,
        None => pidfd.wait().map_err(Fault::at("wait for process"))?,
    };
    if let Some(relay) = relay {
        relay.finish();
    }
    drop(raw);
    Ok(u8::try_from(status.code()).unwrap_or(u8::MAX))
}

/// Reaps whoever has ended; gives how `pid` did, if it is among them.
fn reap(pid: Pid) -> Result<Option<ExitStatus>> {
    let mut own = None;
    while let Some((ended, status)) = kernel::process::reap().map_err(Fault::at("reap process"))? {
        if ended == pid {
            own = Some(status);
        }
    }
    Ok(own)
}

/// The terminal of the program, joined with this process's own.
struct Relay {
    master: File,
    output: JoinHandle<()>,
}

impl Relay {
    fn start(master: OwnedFd) -> Result<Self> {
        let master = File::from(master);
        let relay = |from: &File| from.try_clone().map_err(Fault::at("duplicate terminal"));
        let (mut to, from) = (relay(&master)?, relay(&master)?);
        // Ends with the process: nothing else ends a read of a terminal.
        std::thread::spawn(move || drop(std::io::copy(&mut std::io::stdin().lock(), &mut to)));
        let output = std::thread::spawn(move || copy_out(from));
        let relay = Self { master, output };
        relay.resize();
        Ok(relay)
    }

    fn resize(&self) {
        if let Ok(size) = terminal::size(std::io::stdin()) {
            // The program's side may be closed.
            drop(terminal::set_size(&self.master, size));
        }
    }

    /// Waits for the last output; a terminal whose last user is gone reads as an error.
    fn finish(self) {
        drop(self.output.join());
    }
}

fn copy_out(mut from: File) {
    let mut buffer = [0; 8192];
    let mut out = std::io::stdout().lock();
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if out
            .write_all(&buffer[..length])
            .and_then(|()| out.flush())
            .is_err()
        {
            return;
        }
    }
}
