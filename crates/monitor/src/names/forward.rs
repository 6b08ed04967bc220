//! Questions that wait for a server's answer.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use dns::{Frames, LARGEST, Query, Response, frame, with_id};
use protocol::names::Server;
use rustix::event::PollFlags;

use super::Client;
use super::sockets::Namespaces;

/// How long a server has until the next one is asked, or the same once more.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often servers are asked at least and at most: programs give up after 5 seconds.
const ATTEMPTS: std::ops::RangeInclusive<usize> = 2..=4;

/// A question that was passed on.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) number: u32,
    pub(super) client: Client,
    pub(super) query: Query,
    /// When it was asked.
    pub(super) since: Instant,
    /// When the present server has had its time.
    pub(super) deadline: Instant,
    message: Vec<u8>,
    id: u16,
    attempts: usize,
    server: Option<Server>,
    link: Link,
}

#[derive(Debug)]
enum Link {
    None,
    Datagrams(UdpSocket),
    Stream {
        socket: TcpStream,
        frames: Frames,
        unsent: Vec<u8>,
    },
}

/// What came of a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    /// For the client.
    Answer(Vec<u8>),
    /// Another may know better.
    Failure,
}

impl Waiting {
    pub(super) fn new(number: u32, client: Client, query: Query, message: &[u8]) -> Self {
        let now = Instant::now();
        Self {
            number,
            client,
            query,
            since: now,
            deadline: now,
            message: message.to_vec(),
            id: 0,
            attempts: 0,
            server: None,
            link: Link::None,
        }
    }

    /// Who is to be asked next; nobody if enough were.
    pub(super) fn next_server(&self, servers: &[Server]) -> Option<Server> {
        let most = servers.len().clamp(*ATTEMPTS.start(), *ATTEMPTS.end());
        if self.attempts >= most {
            return None;
        }
        servers
            .get(self.attempts.checked_rem(servers.len())?)
            .copied()
    }

    /// Asks a server.
    pub(super) fn ask(
        &mut self,
        server: Server,
        namespaces: &Namespaces,
        now: Instant,
    ) -> std::io::Result<()> {
        self.attempts += 1;
        self.deadline = now + PATIENCE;
        if self.server.replace(server) == Some(server)
            && let Link::Datagrams(socket) = &self.link
        {
            // On the same socket, so that a late answer to the first is an answer.
            return socket.send(&with_id(&self.message, self.id)).map(drop);
        }
        // What can be guessed is forged: the number is the kernel's, and so is the port.
        self.id = u16::from_ne_bytes(kernel::random::bytes().map_err(|e| e.source)?);
        let message = with_id(&self.message, self.id);
        self.link = match self.client {
            Client::Datagram(_) => {
                let socket = namespaces.datagrams(server)?;
                socket.send(&message)?;
                Link::Datagrams(socket)
            }
            Client::Stream(_) => Link::Stream {
                socket: namespaces.connection(server)?,
                frames: Frames::default(),
                unsent: frame(&message).map_err(std::io::Error::other)?,
            },
        };
        Ok(())
    }

    pub(super) fn interest(&self) -> PollFlags {
        match &self.link {
            Link::Stream { unsent, .. } if !unsent.is_empty() => PollFlags::OUT,
            _ => PollFlags::IN,
        }
    }

    /// Reads what the server says. `last`: there is no other to be asked, so its failure is the answer.
    pub(super) fn hear(&mut self, flags: PollFlags, limit: usize, last: bool) -> Heard {
        match self.exchange(flags) {
            Ok(Some(message)) => {
                match Response::read(&message, self.id, &self.query.question) {
                    Ok(response) if response.is_failure() && !last => Heard::Failure,
                    Ok(response) => Heard::Answer(response.pass_on(&self.query, limit)),
                    // Not the server's, or not sound: the true one may still come. A stream has no second.
                    Err(_) if matches!(self.link, Link::Datagrams(_)) => Heard::Nothing,
                    Err(_) => Heard::Failure,
                }
            }
            Ok(None) => Heard::Nothing,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Heard::Nothing,
            // Nobody listens there, or no way leads to it.
            Err(_) => Heard::Failure,
        }
    }

    fn exchange(&mut self, flags: PollFlags) -> std::io::Result<Option<Vec<u8>>> {
        match &mut self.link {
            Link::None => Ok(None),
            Link::Datagrams(socket) => {
                let mut message = vec![0; LARGEST];
                let length = socket.recv(&mut message)?;
                message.truncate(length);
                Ok(Some(message))
            }
            Link::Stream {
                socket,
                frames,
                unsent,
            } => {
                if flags.intersects(PollFlags::OUT | PollFlags::ERR) && !unsent.is_empty() {
                    let sent = socket.write(unsent)?;
                    unsent.drain(..sent);
                }
                let mut chunk = [0; 4096];
                loop {
                    if let Some(message) = frames.pop().map_err(std::io::Error::other)? {
                        return Ok(Some(message));
                    }
                    match socket.read(&mut chunk)? {
                        0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                        length => frames.push(&chunk[..length]),
                    }
                }
            }
        }
    }
}

impl AsFd for Waiting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.link {
            Link::Datagrams(socket) => socket.as_fd(),
            Link::Stream { socket, .. } => socket.as_fd(),
            Link::None => rustix::stdio::stdin(),
        }
    }
}
