//! The container's resolver: programs ask at 127.0.0.11, what the engine wrote is answered, everything else is passed on.
//!
//! It is part of the monitor's loop and never blocks. What one program can make it hold is bounded: so many questions that wait
//! for a server, so many connections, each of them for a few seconds. Who comes then takes the place of who waited longest.
//! Nothing is kept between questions: tables are looked up in the network's directory, sockets to servers live as long as a question.

mod answer;
mod forward;
mod sockets;
mod stream;
mod table;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use dns::{Code, LARGEST, Query, Refused, Reply};
use rustix::event::PollFlags;

use answer::{Found, asked};
use forward::{Heard, Waiting};
pub(crate) use sockets::Namespaces;
use stream::Stream;
use table::Table;

use crate::error::{During, Result};

/// How many questions may wait for servers at once.
const MOST_WAITING: usize = 128;
/// How many connections there may be at once.
const MOST_STREAMS: usize = 32;
/// How many questions are read before others have their turn.
const TURN: usize = 32;
/// The longest question: EDNS with options is shorter by far.
const LONGEST_QUESTION: usize = 4096;
/// How long new connections wait when one can't be accepted.
const NO_DESCRIPTORS: Duration = Duration::from_millis(200);

/// Who asked, and where the answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Datagram(SocketAddr),
    Stream(u32),
}

/// Something of the resolver that the monitor's loop waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Datagrams,
    Connections,
    Stream(u32),
    Server(u32),
}

/// A container's resolver.
#[derive(Debug)]
pub(crate) struct Resolver {
    datagrams: UdpSocket,
    connections: TcpListener,
    namespaces: Namespaces,
    table: Table,
    waiting: Vec<Waiting>,
    streams: Vec<Stream>,
    next: u32,
    /// Which of a name's owners comes first in the next answer.
    turn: usize,
    accept_after: Option<Instant>,
}

impl Resolver {
    /// Over two sockets of the container's network namespace; the table is in the run directory.
    pub(crate) fn new(
        datagrams: OwnedFd,
        connections: OwnedFd,
        namespaces: Namespaces,
        run_dir: OwnedFd,
    ) -> Result<Self> {
        let datagrams = UdpSocket::from(datagrams);
        let connections = TcpListener::from(connections);
        datagrams
            .set_nonblocking(true)
            .and_then(|()| connections.set_nonblocking(true))
            .during("answer names")?;
        Ok(Self {
            datagrams,
            connections,
            namespaces,
            table: Table::new(run_dir),
            waiting: Vec::new(),
            streams: Vec::new(),
            next: 0,
            turn: 0,
            accept_after: None,
        })
    }

    /// Whether the engine has written whom the container knows.
    pub(crate) fn is_told(&self) -> bool {
        self.table.is_there()
    }

    /// What is waited for.
    pub(crate) fn events(&self) -> impl Iterator<Item = (Token, PollFlags)> + '_ {
        let accepting = self.accept_after.is_none();
        let fixed = [
            Some((Token::Datagrams, PollFlags::IN)),
            accepting.then_some((Token::Connections, PollFlags::IN)),
        ];
        let streams = self
            .streams
            .iter()
            .map(|s| (Token::Stream(s.number), s.interest()));
        let servers = self
            .waiting
            .iter()
            .map(|w| (Token::Server(w.number), w.interest()));
        fixed.into_iter().flatten().chain(streams).chain(servers)
    }

    /// The descriptor of something that is waited for.
    pub(crate) fn descriptor(&self, token: Token) -> Option<BorrowedFd<'_>> {
        match token {
            Token::Datagrams => Some(self.datagrams.as_fd()),
            Token::Connections => Some(self.connections.as_fd()),
            Token::Stream(number) => {
                let stream = self.streams.iter().find(|s| s.number == number);
                stream.map(AsFd::as_fd)
            }
            Token::Server(number) => {
                let waiting = self.waiting.iter().find(|w| w.number == number);
                waiting.map(AsFd::as_fd)
            }
        }
    }

    /// When something is due even if nothing happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        let streams = self.streams.iter().map(|s| s.deadline);
        let waiting = self.waiting.iter().map(|w| w.deadline);
        streams.chain(waiting).chain(self.accept_after).min()
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.accept_after = self.accept_after.filter(|after| *after > now);
        while let Some(at) = self.waiting.iter().position(|w| w.deadline <= now) {
            let late = self.waiting.swap_remove(at);
            self.dispatch(late, now);
        }
        self.streams.retain(|stream| stream.deadline > now);
    }

    /// Gives back what memory the busiest moment took.
    pub(crate) fn rest(&mut self) {
        self.waiting.shrink_to_fit();
        self.streams.shrink_to_fit();
    }

    /// Something happened.
    pub(crate) fn handle(&mut self, token: Token, flags: PollFlags) {
        match token {
            Token::Datagrams => self.read_datagrams(),
            Token::Connections => self.accept(),
            Token::Stream(number) => self.serve_stream(number, flags),
            Token::Server(number) => self.hear_server(number, flags),
        }
    }

    fn read_datagrams(&mut self) {
        let mut buffer = [0; LONGEST_QUESTION];
        for _ in 0..TURN {
            let Ok((length, from)) = self.datagrams.recv_from(&mut buffer) else {
                return;
            };
            let Some(message) = buffer.get(..length) else {
                return;
            };
            self.answer(Client::Datagram(from), message);
        }
    }

    fn accept(&mut self) {
        // Several at once: who holds many makes the queue of the others overflow, and they would try again after a second.
        for _ in 0..TURN {
            match self.connections.accept() {
                Ok((socket, _)) => self.welcome(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.accept_after = Some(Instant::now() + NO_DESCRIPTORS);
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, socket: TcpStream) {
        if self.streams.len() >= MOST_STREAMS {
            // Who has been silent for the longest: one program that holds connections keeps no other out (CVE-2024-8418).
            let oldest = self.streams.iter().enumerate();
            if let Some((at, _)) = oldest.min_by_key(|(_, stream)| stream.deadline) {
                self.streams.swap_remove(at);
            }
        }
        let number = self.number();
        let stream = Stream::new(number, socket, Instant::now());
        self.streams.extend(stream.ok());
    }

    fn number(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    fn serve_stream(&mut self, number: u32, flags: PollFlags) {
        let Some(at) = self.streams.iter().position(|s| s.number == number) else {
            return;
        };
        let questions = self.streams[at].serve(flags, Instant::now());
        for question in questions {
            self.answer(Client::Stream(number), &question);
        }
        self.streams.retain(|stream| !stream.is_over());
    }

    /// Answers a message, or passes it on.
    fn answer(&mut self, client: Client, message: &[u8]) {
        let query = match Query::read(message) {
            Ok(query) => query,
            Err(Refused::Answer(answer)) => return self.send(client, &answer),
            // A stream is over with what is no question: nothing that follows can be trusted.
            Err(Refused::Silent) => return self.hang_up(client),
        };
        let found = self.table.look_up(&asked(&query));
        self.turn = self.turn.wrapping_add(1);
        let limit = limit(client, &query);
        match answer::answer(&query, limit, &found, self.turn) {
            Some(answer) => self.send(client, &answer),
            None => self.pass_on(client, query, message, &found),
        }
    }

    fn pass_on(&mut self, client: Client, query: Query, message: &[u8], found: &Found) {
        if self.table.servers().is_empty() {
            let code = answer::without_servers(&query, found);
            let reply = Reply::new(&query, limit(client, &query)).finish(code);
            return self.send(client, &reply);
        }
        if self.waiting.len() >= MOST_WAITING
            && let Some(at) = oldest(&self.waiting)
        {
            let given_up = self.waiting.swap_remove(at);
            self.fail(&given_up);
        }
        let number = self.number();
        let waiting = Waiting::new(number, client, query, message);
        self.dispatch(waiting, Instant::now());
    }

    /// Asks the question's next server, and those after it if it can't be.
    fn dispatch(&mut self, mut waiting: Waiting, now: Instant) {
        let servers = self.table.servers();
        while let Some(server) = waiting.next_server(servers) {
            if waiting.ask(server, &self.namespaces, now).is_ok() {
                return self.waiting.push(waiting);
            }
        }
        self.fail(&waiting);
    }

    fn hear_server(&mut self, number: u32, flags: PollFlags) {
        let Some(at) = self.waiting.iter().position(|w| w.number == number) else {
            return;
        };
        let last = self.waiting[at].next_server(self.table.servers()).is_none();
        let limit = limit(self.waiting[at].client, &self.waiting[at].query);
        match self.waiting[at].hear(flags, limit, last) {
            Heard::Nothing => {}
            Heard::Answer(answer) => {
                let waiting = self.waiting.swap_remove(at);
                self.send(waiting.client, &answer);
            }
            Heard::Failure => {
                let waiting = self.waiting.swap_remove(at);
                self.dispatch(waiting, Instant::now());
            }
        }
    }

    fn fail(&mut self, waiting: &Waiting) {
        let limit = limit(waiting.client, &waiting.query);
        let reply = Reply::new(&waiting.query, limit).finish(Code::ServerFailure);
        self.send(waiting.client, &reply);
    }

    fn send(&mut self, client: Client, message: &[u8]) {
        match client {
            // Whoever asked asks again if it is lost.
            Client::Datagram(to) => drop(self.datagrams.send_to(message, to)),
            Client::Stream(number) => {
                let stream = self.streams.iter_mut().find(|s| s.number == number);
                if let Some(stream) = stream {
                    stream.send(message, Instant::now());
                }
            }
        }
    }

    fn hang_up(&mut self, client: Client) {
        if let Client::Stream(number) = client {
            self.streams.retain(|stream| stream.number != number);
        }
    }
}

/// How large an answer may be.
fn limit(client: Client, query: &Query) -> usize {
    match client {
        // It goes no further than the loopback interface, so nothing is cut into pieces.
        Client::Datagram(_) => query.udp_limit(),
        Client::Stream(_) => LARGEST,
    }
}

fn oldest(waiting: &[Waiting]) -> Option<usize> {
    let oldest = waiting.iter().enumerate().min_by_key(|(_, w)| w.since);
    oldest.map(|(at, _)| at)
}
