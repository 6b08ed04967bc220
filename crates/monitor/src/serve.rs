//! The loop.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use protocol::log::Stream;
use protocol::{ExecId, ExitRecord, Launch, Probe, Restart, State};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::chronicle::Chronicle;
use crate::client::{Client, Heard, Number, Role};
use crate::clock;
use crate::container::Container;
use crate::error::Result;
use crate::execs::Execs;
use crate::health::Doctor;
use crate::launch::{Claim, Network, Started};
use crate::names::{Resolver, Token};
use crate::output::Output;
use crate::record::Place;
use crate::restart::Restarts;
use crate::streams::{Got, Source};

/// How many clients may be connected at once; more wait to be accepted.
const MOST_CLIENTS: usize = 256;
/// How many messages of one client are answered before the others have their turn.
const TURN: usize = 16;
/// How long a client that reads nothing is waited for when the container has ended.
pub(crate) const FAREWELL: Duration = Duration::from_secs(60);
/// How long no connection is accepted when there are no descriptors for one.
const NO_DESCRIPTORS: Duration = Duration::from_millis(200);
/// How old a container is when its monitor settles down.
const INFANCY: Duration = Duration::from_secs(1);
/// After so long a silence, memory is given back.
const SILENCE: Duration = Duration::from_secs(5);

/// What of the launch is needed later.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) stdin_once: bool,
    pub(crate) auto_remove: bool,
    pub(crate) remove_command: Vec<String>,
    pub(crate) leave_command: Vec<String>,
    pub(crate) remove_env: BTreeMap<String, String>,
    pub(crate) monitor_cgroup: Option<String>,
    restart: Restart,
    probe: Option<Probe>,
}

impl Orders {
    pub(crate) fn of(launch: Launch) -> Self {
        Self {
            stdin_once: launch.stdin_once,
            auto_remove: launch.auto_remove,
            remove_command: launch.remove_command,
            leave_command: launch.leave_command,
            remove_env: launch.remove_env,
            monitor_cgroup: launch.monitor_cgroup,
            restart: launch.restart,
            probe: launch.probe,
        }
    }
}

/// A monitor and its container.
#[derive(Debug)]
pub(crate) struct Monitor {
    pub(crate) container: Container,
    pub(crate) state: State,
    pub(crate) orders: Orders,
    pub(crate) chronicle: Chronicle,
    pub(crate) output: Output,
    /// Where output still comes from.
    pub(crate) sources: Vec<Source>,
    /// The program's side of its terminal: while it is open here, the terminal has no end when the program closes it for a
    /// moment.
    pub(crate) terminal_end: Option<OwnedFd>,
    /// The write end of standard input, if it is open and no terminal.
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) container_dir: OwnedFd,
    pub(crate) network: Network,
    /// Where the end is written down.
    pub(crate) place: Option<Place>,
    /// Given up when the end has been recorded.
    pub(crate) claim: Option<Claim>,
    pub(crate) listener: Option<UnixListener>,
    pub(crate) clients: Vec<Client>,
    pub(crate) execs: Execs,
    pub(crate) ended: Option<ExitRecord>,
    /// When whoever is still connected has had enough time.
    pub(crate) patience: Option<Instant>,
    /// When the container has lived for a while.
    settle_at: Option<Instant>,
    pub(crate) restarts: Restarts,
    /// The limits that it has by now, if they were changed.
    pub(crate) limits: Option<Box<spec::runtime::Resources>>,
    /// Who looks whether it is well.
    pub(crate) doctor: Option<Doctor>,
    /// When the engine is to clear up after the container.
    pub(crate) call_at: Option<Instant>,
    /// Whether it was on networks when it ended.
    pub(crate) was_on_networks: bool,
    next_client: Number,
    accept_after: Option<Instant>,
    rested: bool,
}

/// Something that the loop waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    End,
    Connection,
    Output(Stream),
    Client(Number),
    ExecEnd(ExecId),
    ExecOutput(ExecId),
    Names(Token),
    LookOutput,
    LookEnd,
}

impl Monitor {
    pub(crate) fn new(
        mut started: Started,
        container_dir: OwnedFd,
        claim: Claim,
        listener: UnixListener,
    ) -> Self {
        let doctor = started.orders.probe.take().map(Doctor::new);
        Self {
            restarts: Restarts::new(started.orders.restart),
            limits: None,
            doctor,
            container: started.container,
            state: started.state,
            orders: started.orders,
            chronicle: started.chronicle,
            output: started.output,
            sources: started.sources,
            terminal_end: started.terminal_end,
            stdin: started.stdin,
            container_dir,
            network: started.network,
            place: Some(started.place),
            claim: Some(claim),
            listener: Some(listener),
            clients: Vec::new(),
            execs: Execs::default(),
            ended: None,
            patience: None,
            call_at: None,
            was_on_networks: false,
            settle_at: Some(Instant::now() + INFANCY),
            next_client: 1,
            accept_after: None,
            rested: false,
        }
    }

    /// Makes the running container known.
    pub(crate) fn announce(mut self) -> Result<Self> {
        let announced = match &self.claim {
            Some(claim) => claim.announce(&self.state),
            None => Ok(()),
        };
        match announced {
            Ok(()) => {
                self.begin_health();
                Ok(self)
            }
            Err(error) => {
                self.abandon();
                Err(error)
            }
        }
    }

    /// Serves until the container has ended and everybody knows.
    pub(crate) fn serve(&mut self) {
        while self.ended.is_none() || self.is_needed() {
            for (event, flags) in self.wait() {
                self.handle(&event, flags);
            }
            self.feed();
            self.dismiss();
            if self.ended.is_some() {
                // All is said to them, and they need not wait for what is still to be done.
                self.clients.retain(Client::is_busy);
            }
            self.call_engine_if_due();
            if self.ended.is_none() {
                self.start_if_due();
                self.look_if_due();
            }
        }
    }

    /// Waits for events.
    fn wait(&mut self) -> Vec<(Event, PollFlags)> {
        let now = Instant::now();
        self.accept_after = self.accept_after.filter(|after| *after > now);
        if let Some(resolver) = &mut self.network.resolver {
            resolver.tick(now);
        }
        if self.ended.is_none() && self.settle_at.take_if(|at| *at <= now).is_some() {
            crate::settle::down(self.orders.monitor_cgroup.take().as_deref());
        }
        let timeout = self.timeout(now);
        let mut events = Vec::new();
        let mut fds: Vec<PollFd<'_>> = Vec::new();
        for (event, flags) in self.events() {
            if let Some(fd) = self.descriptor(&event) {
                fds.push(PollFd::from_borrowed_fd(fd, flags));
                events.push(event);
            }
        }
        let ready = poll(&mut fds, timeout.as_ref());
        let flags: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        match ready {
            Ok(0) => {
                self.rest();
                Vec::new()
            }
            Ok(_) => {
                self.rested = false;
                let happened = events.into_iter().zip(flags);
                happened.filter(|(_, f)| !f.is_empty()).collect()
            }
            Err(Errno::INTR) => Vec::new(),
            // No memory for the call: this must not become a busy loop.
            Err(_) => {
                std::thread::sleep(NO_DESCRIPTORS);
                Vec::new()
            }
        }
    }

    /// What to wait for. Output first: what was written before an end is read before it.
    fn events(&self) -> Vec<(Event, PollFlags)> {
        let mut events = Vec::with_capacity(self.sources.len() + self.clients.len() + 3);
        for source in &self.sources {
            events.push((Event::Output(source.stream), PollFlags::IN));
        }
        if self.ended.is_none() {
            for (id, exec) in self.execs.running() {
                events.push((Event::ExecEnd(id.clone()), PollFlags::IN));
                if exec.client.is_none() && exec.console.is_some() {
                    events.push((Event::ExecOutput(id.clone()), PollFlags::IN));
                }
            }
            if !self.is_between() {
                events.push((Event::End, PollFlags::IN));
            }
            if let Some(doctor) = &self.doctor {
                let output = doctor.source().map(|_| (Event::LookOutput, PollFlags::IN));
                let end = doctor.pidfd().map(|_| (Event::LookEnd, PollFlags::IN));
                events.extend(output.into_iter().chain(end));
            }
            if let Some(resolver) = &self.network.resolver {
                events.extend(resolver.events().map(|(t, flags)| (Event::Names(t), flags)));
            }
        }
        for client in &self.clients {
            events.push((Event::Client(client.number), client.interest()));
        }
        let room = self.clients.len() < MOST_CLIENTS && self.accept_after.is_none();
        if room && self.listener.is_some() {
            events.push((Event::Connection, PollFlags::IN));
        }
        events
    }

    fn descriptor(&self, event: &Event) -> Option<std::os::fd::BorrowedFd<'_>> {
        match event {
            Event::End => Some(self.container.pidfd.as_fd()),
            Event::Connection => self.listener.as_ref().map(AsFd::as_fd),
            Event::Output(stream) => {
                let source = self.sources.iter().find(|s| s.stream == *stream);
                source.map(|source| source.fd.as_fd())
            }
            Event::Client(number) => {
                let client = self.clients.iter().find(|c| c.number == *number);
                client.map(AsFd::as_fd)
            }
            Event::ExecEnd(id) => self
                .execs
                .get_running(id)
                .ok()
                .map(|exec| exec.pidfd.as_fd()),
            Event::ExecOutput(id) => {
                let exec = self.execs.get_running(id).ok();
                exec.and_then(|exec| exec.console.as_ref()).map(AsFd::as_fd)
            }
            Event::Names(token) => self.network.resolver.as_ref()?.descriptor(*token),
            Event::LookOutput => self.doctor.as_ref()?.source(),
            Event::LookEnd => self.doctor.as_ref()?.pidfd(),
        }
    }

    fn timeout(&self, now: Instant) -> Option<Timespec> {
        let silence = (!self.rested).then(|| now + SILENCE);
        let settle = self.settle_at.filter(|_| self.ended.is_none());
        let times = [
            self.patience,
            self.accept_after,
            self.call_at,
            settle,
            silence,
            self.network.resolver.as_ref().and_then(Resolver::due),
            self.restarts.due,
            self.doctor.as_ref().and_then(Doctor::due),
        ];
        let next = times.into_iter().flatten().min()?;
        Timespec::try_from(next.saturating_duration_since(now)).ok()
    }

    /// Nothing happens: memory that was needed is given back.
    fn rest(&mut self) {
        if !self.rested {
            self.rested = true;
            self.output.rest();
            if let Some(resolver) = &mut self.network.resolver {
                resolver.rest();
            }
            kernel::memory::release();
        }
    }

    fn handle(&mut self, event: &Event, flags: PollFlags) {
        match event {
            Event::End => self.finish(),
            Event::Connection => self.accept(),
            Event::Output(stream) => self.take_output(*stream),
            Event::Client(number) => self.serve_client(*number, flags),
            Event::ExecEnd(id) => self.reap_exec(id),
            Event::ExecOutput(id) => self.discard_exec_output(id),
            Event::LookOutput => self.read_look(),
            Event::LookEnd => self.reap_look(),
            Event::Names(token) => {
                if let Some(resolver) = &mut self.network.resolver {
                    resolver.handle(*token, flags);
                }
            }
        }
    }

    fn take_output(&mut self, stream: Stream) {
        let output = &mut self.output;
        let ended = |source: &Source| {
            source.stream == stream && output.take(source, clock::now()) == Got::End
        };
        if let Some(at) = self.sources.iter().position(ended) {
            self.sources.remove(at);
        }
    }

    pub(crate) fn accept(&mut self) {
        while let Some(listener) = &self.listener
            && self.clients.len() < MOST_CLIENTS
        {
            match listener.accept() {
                Ok((socket, _)) => self.welcome(socket),
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::INTR | Errno::CONNABORTED) => {}
                    Some(Errno::AGAIN) => return,
                    _ => {
                        self.accept_after = Some(Instant::now() + NO_DESCRIPTORS);
                        return;
                    }
                },
            }
        }
    }

    fn welcome(&mut self, socket: UnixStream) {
        // The socket's mode keeps others out; this holds even if the directory were wrong (R14).
        let ours = rustix::process::geteuid().as_raw();
        let known =
            kernel::socket::peer_cred(&socket).is_ok_and(|peer| peer.uid == 0 || peer.uid == ours);
        if known && socket.set_nonblocking(true).is_ok() {
            self.clients.push(Client::new(self.next_client, socket));
            self.next_client += 1;
        }
    }

    fn serve_client(&mut self, number: Number, flags: PollFlags) {
        // Out of the list while it is served, since answers change the rest.
        let Some(at) = self.clients.iter().position(|c| c.number == number) else {
            return;
        };
        let mut client = self.clients.swap_remove(at);
        if flags.intersects(PollFlags::OUT) {
            client.flush();
        }
        if flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.listen_to(&mut client);
        }
        if flags.intersects(PollFlags::HUP | PollFlags::ERR) {
            client.mark_gone();
        }
        self.clients.push(client);
    }

    pub(crate) fn listen_to(&mut self, client: &mut Client) {
        for _ in 0..TURN {
            match client.hear() {
                Heard::Message(message) => self.answer(client, message),
                Heard::Nothing => return,
                Heard::End => return self.release_stdin(client),
            }
        }
    }

    fn reap_exec(&mut self, id: &ExecId) {
        let status = match self.execs.get_running(id) {
            Ok(exec) => exec.pidfd.try_wait(),
            Err(_) => return,
        };
        match status {
            Ok(Some(status)) => self.exec_ended(id, status.code()),
            Ok(None) => {}
            // It can't be waited for, so nothing is known of its end.
            Err(_) => self.exec_ended(id, 255),
        }
    }

    fn discard_exec_output(&mut self, id: &ExecId) {
        let mut scrap = [0; 4096];
        let got = match self.execs.get_running(id) {
            Ok(exec) => exec
                .console
                .as_ref()
                .map(|c| rustix::io::read(c, &mut scrap)),
            Err(_) => None,
        };
        match got {
            Some(Ok(1..) | Err(Errno::AGAIN | Errno::INTR)) | None => {}
            Some(Ok(0) | Err(_)) => self.execs.close_console(id),
        }
    }

    /// Sends attached clients what is new.
    pub(crate) fn feed(&mut self) {
        let end = self.output.writer().end();
        let mut sent = 0;
        for client in &mut self.clients {
            sent += client.follow(end);
        }
        if sent > 0 && self.patience.is_some() {
            self.patience = Some(Instant::now() + FAREWELL);
        }
    }

    /// Lets go of clients that are gone.
    fn dismiss(&mut self) {
        while let Some(at) = self.clients.iter().position(Client::is_gone) {
            let mut client = self.clients.swap_remove(at);
            self.release_stdin(&mut client);
            if let Role::Exec(id) = &client.role {
                self.execs.forsaken(id);
            }
        }
    }

    pub(crate) fn client(&mut self, number: Number) -> Option<&mut Client> {
        self.clients.iter_mut().find(|c| c.number == number)
    }
}
