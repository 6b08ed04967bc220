//! Whoever is connected.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use protocol::frame::{Incoming, Message, Outgoing, Progress};
use protocol::log::Position;
use protocol::{ExecId, Refusal, Reply};
use rustix::event::PollFlags;
use rustix::net::{RecvFlags, SendFlags};

use crate::follower::{Follower, State};

/// A client's number, never given twice.
pub(crate) type Number = u64;

/// What a client is here for.
#[derive(Debug)]
pub(crate) enum Role {
    /// It asks, and gets answers.
    Asking,
    /// It gets the output. `stdin`: it holds the program's standard input.
    Attached {
        /// Its way through the log.
        follower: Box<Follower>,
        /// Whether it was given standard input and has not given it up.
        stdin: bool,
    },
    /// It waits for the container's end.
    Waiting {
        /// Whether it promised to remove the container.
        remove: bool,
    },
    /// It waits for this exec's end.
    Exec(ExecId),
}

/// A connected client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) number: Number,
    pub(crate) role: Role,
    socket: UnixStream,
    incoming: Incoming,
    outgoing: VecDeque<Outgoing>,
    input: Input,
    gone: bool,
    /// Attached to a run that has ended: when it has had all of that, it gets no more.
    last_run: bool,
}

/// Whether a client may still ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    Closed,
}

/// What came from a client.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A message.
    Message(Message),
    /// Nothing more for now.
    Nothing,
    /// It will send nothing any more; it may still listen.
    End,
}

impl Client {
    /// `socket` is non-blocking.
    pub(crate) fn new(number: Number, socket: UnixStream) -> Self {
        Self {
            number,
            role: Role::Asking,
            socket,
            incoming: Incoming::default(),
            outgoing: VecDeque::new(),
            input: Input::Open,
            gone: false,
            last_run: false,
        }
    }

    /// What the loop should wait for.
    pub(crate) fn interest(&self) -> PollFlags {
        let mut flags = PollFlags::empty();
        if self.input == Input::Open {
            flags |= PollFlags::IN;
        }
        if !self.outgoing.is_empty() || self.is_behind() {
            flags |= PollFlags::OUT;
        }
        flags
    }

    fn is_behind(&self) -> bool {
        matches!(&self.role, Role::Attached { follower, .. } if follower.state() == State::Behind)
    }

    /// Whether the connection is of no use any more.
    pub(crate) fn is_gone(&self) -> bool {
        let silent = self.input == Input::Closed && self.outgoing.is_empty();
        self.gone || silent && matches!(self.role, Role::Asking)
    }

    /// The other side is away.
    pub(crate) const fn mark_gone(&mut self) {
        self.gone = true;
    }

    /// Whether something is still to be sent.
    pub(crate) fn is_busy(&self) -> bool {
        !self.gone && (!self.outgoing.is_empty() || self.is_behind())
    }

    /// The next message that came.
    pub(crate) fn hear(&mut self) -> Heard {
        while self.input == Input::Open {
            match self.incoming.receive(&self.socket, RecvFlags::DONTWAIT) {
                Ok(Progress::Message(message)) => return Heard::Message(message),
                Ok(Progress::Partial) => {}
                Ok(Progress::WouldBlock) => return Heard::Nothing,
                Ok(Progress::Closed) => {
                    self.input = Input::Closed;
                    return Heard::End;
                }
                Err(error) => {
                    self.input = Input::Closed;
                    self.refuse(Refusal::Invalid, error.to_string());
                    return Heard::End;
                }
            }
        }
        Heard::Nothing
    }

    /// Answers.
    pub(crate) fn reply(&mut self, reply: &Reply) {
        self.reply_with(reply, Vec::new());
    }

    /// Answers with descriptors beside it.
    pub(crate) fn reply_with(&mut self, reply: &Reply, fds: Vec<OwnedFd>) {
        match Outgoing::new(reply, fds) {
            Ok(message) => self.outgoing.push_back(message),
            Err(_) => self.gone = true,
        }
        self.flush();
    }

    /// Answers that it was not done.
    pub(crate) fn refuse(&mut self, kind: Refusal, message: impl Into<String>) {
        let message = message.into();
        self.reply(&Reply::Refused { kind, message });
    }

    /// Sends what the socket takes.
    pub(crate) fn flush(&mut self) {
        while let Some(message) = self.outgoing.front_mut() {
            match message.send(&self.socket, SendFlags::DONTWAIT) {
                Ok(true) => drop(self.outgoing.pop_front()),
                Ok(false) => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }

    /// Sends an attached client more of the log, whose end is `end`. Gives how much that was.
    pub(crate) fn follow(&mut self, end: Position) -> u64 {
        if self.gone || !self.outgoing.is_empty() {
            return 0;
        }
        let Role::Attached { follower, .. } = &mut self.role else {
            return 0;
        };
        let sent = follower.advance(&self.socket, end);
        let over = match follower.state() {
            State::Over => true,
            State::CaughtUp => self.last_run,
            State::Behind => false,
        };
        if over {
            self.gone = true;
        }
        sent
    }

    /// The run that it is attached to has ended.
    pub(crate) const fn end_with_run(&mut self) {
        self.last_run = true;
    }

    /// Whether it gives up standard input with this: true once.
    pub(crate) fn release_stdin(&mut self) -> bool {
        match &mut self.role {
            Role::Attached { stdin, .. } => std::mem::take(stdin),
            Role::Asking | Role::Waiting { .. } | Role::Exec(_) => false,
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
