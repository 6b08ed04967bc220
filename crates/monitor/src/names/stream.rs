//! Programs that ask over TCP.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use dns::{Frames, frame};
use rustix::event::PollFlags;

use super::LONGEST_QUESTION;

/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(5);
/// How much may wait to be sent before no more is read: a program that asks and doesn't read.
const MOST_UNSENT: usize = 128 * 1024;

/// A connection of a program.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) number: u32,
    pub(super) deadline: Instant,
    socket: TcpStream,
    frames: Frames,
    unsent: Vec<u8>,
    /// How many questions have no answer yet.
    open: usize,
    /// Nothing more is asked.
    ended: bool,
    broken: bool,
}

impl Stream {
    pub(super) fn new(number: u32, socket: TcpStream, now: Instant) -> std::io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            number,
            deadline: now + IDLE,
            socket,
            frames: Frames::limited(LONGEST_QUESTION),
            unsent: Vec::new(),
            open: 0,
            ended: false,
            broken: false,
        })
    }

    pub(super) fn interest(&self) -> PollFlags {
        let mut flags = PollFlags::empty();
        if !self.ended && self.unsent.len() < MOST_UNSENT {
            flags |= PollFlags::IN;
        }
        if !self.unsent.is_empty() {
            flags |= PollFlags::OUT;
        }
        flags
    }

    /// Sends and reads what can be; gives the questions that are whole now.
    pub(super) fn serve(&mut self, flags: PollFlags, now: Instant) -> Vec<Vec<u8>> {
        if flags.contains(PollFlags::OUT) {
            self.flush();
        }
        if flags.intersects(PollFlags::ERR) {
            self.broken = true;
        }
        if flags.intersects(PollFlags::IN | PollFlags::HUP) {
            self.read(now)
        } else {
            Vec::new()
        }
    }

    fn read(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut chunk = [0; LONGEST_QUESTION];
        match self.socket.read(&mut chunk) {
            Ok(0) => self.ended = true,
            Ok(length) => self.frames.push(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.broken = true,
        }
        let mut questions = Vec::new();
        loop {
            match self.frames.pop() {
                Ok(Some(question)) => questions.push(question),
                Ok(None) => break,
                Err(_) => {
                    // What was asked before is still answered.
                    self.ended = true;
                    break;
                }
            }
        }
        if !questions.is_empty() {
            self.open += questions.len();
            self.deadline = now + IDLE;
        }
        questions
    }

    pub(super) fn send(&mut self, message: &[u8], now: Instant) {
        self.open = self.open.saturating_sub(1);
        self.deadline = now + IDLE;
        match frame(message) {
            Ok(framed) => self.unsent.extend(framed),
            Err(_) => self.broken = true,
        }
        self.flush();
    }

    fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(0) => self.broken = true,
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.broken |= error.kind() != ErrorKind::WouldBlock;
                    break;
                }
            }
            if self.broken {
                break;
            }
        }
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
        }
    }

    /// Whether nothing more can come of it.
    pub(super) fn is_over(&self) -> bool {
        self.broken || (self.ended && self.open == 0 && self.unsent.is_empty())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
