//! From a name to addresses. The programs are static and have no getaddrinfo: `/etc/hosts` first, then the name servers of
//! `/etc/resolv.conf`, as resolver(5) has it.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use dns::{Name, Question, Response};

/// The files that name resolution reads, each time anew.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// `/etc/hosts`.
    pub hosts: PathBuf,
    /// `/etc/resolv.conf`.
    pub resolv: PathBuf,
}

impl Default for Lookup {
    fn default() -> Self {
        Self {
            hosts: "/etc/hosts".into(),
            resolv: "/etc/resolv.conf".into(),
        }
    }
}

/// What `/etc/resolv.conf` says.
#[derive(Debug, PartialEq, Eq)]
struct Resolv {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    ndots: usize,
    patience: Duration,
    attempts: u32,
}

impl Resolv {
    fn parse(text: &str) -> Self {
        let mut found = Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            patience: Duration::from_secs(5),
            attempts: 2,
        };
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if found.servers.len() < 3 => {
                    let address = words.next().and_then(|word| {
                        let word = word.split('%').next().unwrap_or(word);
                        word.parse::<IpAddr>().ok()
                    });
                    found
                        .servers
                        .extend(address.map(|ip| SocketAddr::new(ip, 53)));
                }
                Some("search" | "domain") => {
                    found.search = words
                        .take(6)
                        .map(|word| word.trim_end_matches('.').to_owned())
                        .filter(|word| !word.is_empty())
                        .collect();
                }
                Some("options") => words.for_each(|word| found.option(word)),
                _ => {}
            }
        }
        if found.servers.is_empty() {
            found
                .servers
                .push(SocketAddr::from((Ipv4Addr::LOCALHOST, 53)));
        }
        found
    }

    fn option(&mut self, word: &str) {
        let Some((name, value)) = word.split_once(':') else {
            return;
        };
        let Ok(value) = value.parse::<u32>() else {
            return;
        };
        match name {
            "ndots" => self.ndots = value.min(15) as usize,
            "timeout" => self.patience = Duration::from_secs(u64::from(value.clamp(1, 30))),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }

    /// The full names that a name may stand for, in the order in which they are tried.
    fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let mut names: Vec<String> = self
            .search
            .iter()
            .map(|domain| format!("{name}.{domain}"))
            .collect();
        let dots = name.bytes().filter(|b| *b == b'.').count();
        let at = if dots >= self.ndots { 0 } else { names.len() };
        names.insert(at, name.to_owned());
        names
    }
}

/// The addresses that a hosts file has for a name.
fn in_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words
            .any(|word| word.eq_ignore_ascii_case(name))
            .then_some(address)
    });
    lines.collect()
}

impl Lookup {
    /// The addresses of a host.
    ///
    /// # Errors
    /// Nobody knows the name.
    pub async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let bare = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let mut found = in_hosts(&read(&self.hosts).await?, bare.trim_end_matches('.'));
        // RFC 6761, 6.3: these never go to a name server.
        if found.is_empty() && is_localhost(bare) {
            found = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        }
        if found.is_empty() {
            found = self.ask_servers(bare).await?;
        }
        Ok(found
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect())
    }

    async fn ask_servers(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let resolv = Resolv::parse(&read(&self.resolv).await?);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no such host");
        for name in resolv.candidates(name) {
            let (v4, v6) =
                tokio::join!(ask(&resolv, &name, dns::A), ask(&resolv, &name, dns::AAAA));
            let mut found = Vec::new();
            for answer in [v4, v6] {
                match answer {
                    Ok(addresses) => found.extend(addresses),
                    Err(error) => last = error,
                }
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Err(last)
    }
}

pub(crate) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

async fn read(path: &std::path::Path) -> io::Result<String> {
    match tokio::fs::read(path).await {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(e),
    }
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Addresses(Vec<IpAddr>),
    /// There is no such name, or nothing of this kind.
    Nothing,
    Truncated,
    /// The server failed.
    Other,
}

/// Asks the servers in turn. No such name is an empty answer, and final.
async fn ask(resolv: &Resolv, name: &str, kind: u16) -> io::Result<Vec<IpAddr>> {
    let name = Name::parse(name)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "invalid host name"))?;
    let question = Question {
        name,
        kind,
        class: dns::IN,
    };
    let mut last = io::Error::new(io::ErrorKind::TimedOut, "no name server answers");
    for _ in 0..resolv.attempts {
        for server in &resolv.servers {
            match timeout(resolv.patience, exchange(*server, &question)).await {
                Ok(Ok(Answer::Addresses(found))) => return Ok(found),
                Ok(Ok(Answer::Nothing)) => {
                    return Err(io::Error::new(io::ErrorKind::NotFound, "no such host"));
                }
                Ok(Ok(Answer::Truncated | Answer::Other)) => {
                    last = io::Error::other("the name server failed");
                }
                Ok(Err(error)) => last = error,
                Err(_) => {}
            }
        }
    }
    Err(last)
}

/// Reads an answer to a question; none if it answers something else.
fn answer(message: &[u8], id: u16, question: &Question) -> Option<Answer> {
    let response = Response::read(message, id, question).ok()?;
    if response.is_truncated() {
        return Some(Answer::Truncated);
    }
    if response.is_failure() {
        return Some(Answer::Other);
    }
    let fits = |ip: &IpAddr| ip.is_ipv4() == (question.kind == dns::A);
    let found: Vec<IpAddr> = response.addresses().into_iter().filter(fits).collect();
    Some(if found.is_empty() {
        Answer::Nothing
    } else {
        Answer::Addresses(found)
    })
}

async fn exchange(server: SocketAddr, question: &Question) -> io::Result<Answer> {
    let mut id = [0; 2];
    SystemRandom::new()
        .fill(&mut id)
        .map_err(|_| io::Error::other("no randomness"))?;
    let id = u16::from_be_bytes(id);
    let message = question.message(id);
    let any: SocketAddr = if server.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    // Connected, so that only this server's datagrams arrive.
    socket.connect(server).await?;
    socket.send(&message).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let count = socket.recv(&mut buffer).await?;
        // What is no answer to this question may be a forgery: the true one may still come.
        match answer(&buffer[..count], id, question) {
            None => {}
            Some(Answer::Truncated) => return over_tcp(server, &message, (id, question)).await,
            Some(answer) => return Ok(answer),
        }
    }
}

async fn over_tcp(
    server: SocketAddr,
    message: &[u8],
    (id, question): (u16, &Question),
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let framed = dns::frame(message).map_err(io::Error::other)?;
    stream.write_all(&framed).await?;
    let mut buffer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut buffer).await?;
    Ok(answer(&buffer, id, question).unwrap_or(Answer::Other))
}
