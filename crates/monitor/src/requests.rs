//! What clients ask, and what they get.

use std::os::fd::OwnedFd;

use protocol::frame::Message;
use protocol::log::Reader;
use protocol::{ExecId, ExecInfo, From, Process, Refusal, Reply, Request};
use rustix::termios::Winsize;

use crate::client::{Client, Role};
use crate::clock;
use crate::error::Error;
use crate::execs::{Refused, Started};
use crate::follower::Follower;
use crate::serve::Monitor;

impl Monitor {
    /// Does what `client` asks.
    pub(crate) fn answer(&mut self, client: &mut Client, message: Message) {
        let request = match message.parse::<Request>() {
            Ok(request) => request,
            Err(error) => {
                let text = format!("request not understood: {}", reason(&error));
                return client.refuse(Refusal::Invalid, text);
            }
        };
        if let Role::Attached { .. } = client.role {
            // Nothing can be answered among log records.
            match request {
                Request::CloseStdin => self.release_stdin(client),
                _ => client.mark_gone(),
            }
            return;
        }
        let result = match request {
            Request::State => Ok(Some(self.describe())),
            Request::Signal { signal, exec } => self.signal(signal, exec.as_ref()),
            Request::End { signal } => self.end(signal),
            Request::Pause => self.pause(),
            Request::Resume => self.resume(),
            Request::Update { limits, restart } => self.update(limits, restart),
            Request::Rename { name } => {
                self.chronicle.rename(name);
                Ok(Some(Reply::Done))
            }
            Request::Resize { rows, cols, exec } => self.resize(rows, cols, exec.as_ref()),
            Request::Attach { from, stdin } => self.attach(client, from, stdin),
            Request::CloseStdin => Err((Refusal::Invalid, "not attached".to_owned())),
            Request::Wait { remove } => self.wait_for_end(client, remove),
            Request::ExecCreate { id, process } => self.create_exec(id, process),
            Request::ExecStart { id, rows, cols } => {
                self.start_exec(client, &id, (rows, cols), message.fds)
            }
            Request::ExecInspect { id } => self.execs.get(&id).map(|e| Some(Reply::Exec(e.info()))),
        };
        match result {
            Ok(Some(reply)) => client.reply(&reply),
            Ok(None) => {}
            Err((kind, message)) => client.refuse(kind, message),
        }
    }

    fn describe(&self) -> Reply {
        let brief = |info: ExecInfo| ExecInfo {
            process: None,
            ..info
        };
        let attached = |client: &&Client| matches!(client.role, Role::Attached { .. });
        Reply::State {
            state: self.state.clone(),
            execs: self.execs.iter().map(|e| brief(e.info())).collect(),
            attached: u32::try_from(self.clients.iter().filter(attached).count())
                .unwrap_or(u32::MAX),
            log_end: self.output.writer().end(),
        }
    }

    pub(crate) fn must_run(&self) -> Result<(), Refused> {
        match self.ended {
            None if self.is_between() => {
                Err((Refusal::Conflict, "the container is restarting".to_owned()))
            }
            None => Ok(()),
            Some(_) => Err((Refusal::Conflict, "the container has ended".to_owned())),
        }
    }

    pub(crate) fn signal(
        &self,
        signal: i32,
        exec: Option<&ExecId>,
    ) -> Result<Option<Reply>, Refused> {
        self.must_run()?;
        let target = match exec {
            None => &self.container.pidfd,
            Some(id) => &self.execs.get_running(id)?.pidfd,
        };
        match target.signal(signal) {
            Ok(()) => Ok(Some(Reply::Done)),
            Err(error) if error.errno() == kernel::Errno::INVAL => {
                Err((Refusal::Invalid, format!("Invalid signal: {signal}")))
            }
            Err(error) => Err((Refusal::System, format!("{error}: {}", error.source))),
        }
    }

    fn resize(
        &self,
        rows: u16,
        cols: u16,
        exec: Option<&ExecId>,
    ) -> Result<Option<Reply>, Refused> {
        self.must_run()?;
        let console = match exec {
            None => self.container.console.as_ref(),
            Some(id) => self.execs.get_running(id)?.console.as_ref(),
        };
        let Some(console) = console else {
            return Err((Refusal::Conflict, "there is no terminal".to_owned()));
        };
        let size = Winsize {
            ws_row: rows,
            ws_col: cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        match rustix::termios::tcsetwinsize(console, size) {
            Ok(()) => Ok(Some(Reply::Done)),
            Err(error) => Err((Refusal::System, format!("resize terminal: {error}"))),
        }
    }

    fn attach(
        &mut self,
        client: &mut Client,
        from: From,
        stdin: bool,
    ) -> Result<Option<Reply>, Refused> {
        must_be_free(client)?;
        let end = self.output.writer().end();
        let position = match from {
            From::Now => Some(end),
            From::Start => None,
            From::Position(position) => Some(position.min(end)),
        };
        let reader = Reader::of(self.output.writer(), position);
        let mut reader = reader.map_err(|e| (Refusal::Conflict, e.to_string()))?;
        if !reader.is_at_record().unwrap_or(false) {
            return Err((
                Refusal::Invalid,
                "no record begins at that position".to_owned(),
            ));
        }
        let mut fds = Vec::new();
        if stdin && let Some(fd) = self.stdin_for_client() {
            let fd = fd.try_clone();
            fds.push(fd.map_err(|e| (Refusal::System, format!("duplicate stdin: {e}")))?);
        }
        let mut follower = Box::new(Follower::new(reader));
        if self.ended.is_some() {
            follower.pin();
        }
        let position = follower.position();
        let stdin = !fds.is_empty();
        client.reply_with(&Reply::Attached { position }, fds);
        client.role = Role::Attached { follower, stdin };
        Ok(None)
    }

    /// Where the program's standard input is written to.
    fn stdin_for_client(&self) -> Option<&OwnedFd> {
        match (&self.ended, &self.container.console) {
            (Some(_), _) => None,
            (None, Some(console)) => self.state.open_stdin.then_some(console),
            (None, None) => self.stdin.as_ref(),
        }
    }

    /// `client` writes no more: standard input is closed if that was agreed.
    pub(crate) fn release_stdin(&mut self, client: &mut Client) {
        if client.release_stdin() && self.orders.stdin_once {
            self.stdin = None;
        }
    }

    fn wait_for_end(&self, client: &mut Client, remove: bool) -> Result<Option<Reply>, Refused> {
        must_be_free(client)?;
        client.role = Role::Waiting { remove };
        Ok(self.ended.clone().map(Reply::Exited))
    }

    fn create_exec(&mut self, id: ExecId, process: Process) -> Result<Option<Reply>, Refused> {
        self.must_run()?;
        self.execs.create(id, process)?;
        Ok(Some(Reply::ExecCreated))
    }

    fn start_exec(
        &mut self,
        client: &mut Client,
        id: &ExecId,
        size: (u16, u16),
        fds: Vec<OwnedFd>,
    ) -> Result<Option<Reply>, Refused> {
        self.must_run()?;
        self.must_move()?;
        must_be_free(client)?;
        let process = self.execs.get_created(id)?;
        let stdio = crate::container::stdio_of_exec(process, size, fds)?;
        let executed = match self.container.exec(process, stdio) {
            Ok(executed) => executed,
            Err(error) => {
                let kind = refusal(&error);
                self.execs.ended(id, kind.exit_code());
                return Err((kind, error.reason()));
            }
        };
        let console = executed.console.as_ref().map(OwnedFd::try_clone);
        let console = match console.transpose() {
            Ok(console) => console,
            Err(error) => {
                // It runs with a terminal that nobody can have.
                drop(executed.pidfd.signal(kernel::signal::SIGKILL));
                return Err((Refusal::System, format!("duplicate terminal: {error}")));
            }
        };
        self.chronicle.record_exec(id, process);
        let pid = executed.pid.as_raw_nonzero().get();
        let started = Started {
            pid,
            pidfd: executed.pidfd,
            console: executed.console,
            client: client.number,
        };
        self.execs.started(id, started);
        client.role = Role::Exec(id.clone());
        let reply = Reply::ExecStarted {
            pid,
            started_at: clock::now(),
        };
        client.reply_with(&reply, console.into_iter().collect());
        kernel::memory::release();
        Ok(None)
    }

    /// The exec `id` ended with `code`: remembers it and tells whoever waits.
    pub(crate) fn exec_ended(&mut self, id: &ExecId, code: i32) {
        self.chronicle.record_exec_end(id, code);
        let waiting = self.execs.ended(id, code);
        let waiting = waiting.and_then(|number| self.client(number));
        if let Some(client) = waiting {
            client.role = Role::Asking;
            client.reply(&Reply::ExecExited { code });
        }
    }
}

/// A client that waits for something can't wait for another thing on the same connection.
fn must_be_free(client: &Client) -> Result<(), Refused> {
    match client.role {
        Role::Asking => Ok(()),
        Role::Attached { .. } | Role::Waiting { .. } | Role::Exec(_) => {
            let text = "this connection waits for something else already".to_owned();
            Err((Refusal::Invalid, text))
        }
    }
}

const fn refusal(error: &Error) -> Refusal {
    match error.exit_code() {
        127 => Refusal::NoProgram,
        126 => Refusal::NotExecutable,
        _ => Refusal::System,
    }
}

fn reason(error: &protocol::Error) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
