//! An Engine API of canned answers on a unix socket, and `tare` run against it.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "tests; each uses a part"
)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// An answer: status, headers beyond the usual, body.
#[derive(Clone)]
enum Answer {
    Json(u16, String),
    /// Raw bytes with a content type, then the end of the stream.
    Stream(&'static str, Vec<u8>),
    /// 101, then bytes; whatever the client sends until it closes its side is recorded.
    Hijack(Vec<u8>),
    /// 101 and a prompt; what is typed is echoed until it contains `exit`.
    Shell,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query without the version.
    pub target: String,
    pub body: String,
}

/// The engine. Answers are given by method and path (without version and query), in order; the last one stays.
pub struct Fake {
    dir: tempfile::TempDir,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: Vec<(String, String, Answer)>,
    requests: Vec<Request>,
    typed: Vec<u8>,
}

/// What `tare` did.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Fake {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { dir, state }
    }

    pub fn json(self, method: &str, path: &str, status: u16, body: &str) -> Self {
        self.answer(method, path, Answer::Json(status, body.to_owned()))
    }

    pub fn stream(self, method: &str, path: &str, kind: &'static str, body: &[u8]) -> Self {
        self.answer(method, path, Answer::Stream(kind, body.to_vec()))
    }

    pub fn hijack(self, method: &str, path: &str, bytes: &[u8]) -> Self {
        self.answer(method, path, Answer::Hijack(bytes.to_vec()))
    }

    /// A hijacked connection that behaves like a shell at a terminal.
    pub fn shell(self, method: &str, path: &str) -> Self {
        self.answer(method, path, Answer::Shell)
    }

    fn answer(self, method: &str, path: &str, answer: Answer) -> Self {
        self.state
            .lock()
            .unwrap()
            .answers
            .push((method.into(), path.into(), answer));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn run(&self, args: &[&str]) -> Done {
        self.run_with(args, b"")
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "tests run the product as a user does"
    )]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tare"));
        command
            .args(args)
            .env("TARE_HOST", format!("unix://{}", self.path("s").display()))
            .env("TARE_ROOT", self.path("root"))
            .env("TARE_RUN_ROOT", self.path("run"))
            .env("INHERITED", "from outside")
            .env_remove("UNSET")
            .current_dir(self.dir.path());
        command
    }

    pub fn run_with(&self, args: &[&str], input: &[u8]) -> Done {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        drop(writer.join().unwrap());
        Done {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// All requests that came, pings left out.
    pub fn requests(&self) -> Vec<Request> {
        let all = self.state.lock().unwrap().requests.clone();
        all.into_iter()
            .filter(|r| !r.target.starts_with("/_ping"))
            .collect()
    }

    /// Method and target of each request.
    pub fn asked(&self) -> Vec<String> {
        self.requests()
            .iter()
            .map(|r| format!("{} {}", r.method, r.target))
            .collect()
    }

    /// The JSON body of the first request to a path.
    pub fn body(&self, path: &str) -> serde_json::Value {
        let requests = self.requests();
        let request = requests
            .iter()
            .find(|r| r.target.split('?').next() == Some(path))
            .unwrap();
        serde_json::from_str(&request.body).unwrap()
    }

    /// What was sent over hijacked connections.
    pub fn typed(&self) -> String {
        String::from_utf8(self.state.lock().unwrap().typed.clone()).unwrap()
    }
}

/// A frame of a multiplexed stream.
pub fn frame(stream: u8, text: &str) -> Vec<u8> {
    let mut out = vec![stream, 0, 0, 0];
    out.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    out.extend(text.as_bytes());
    out
}

fn serve(stream: UnixStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let path = request.target.split('?').next().unwrap().to_owned();
        let answer = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            next_answer(&mut state.answers, &request.method, &path)
        };
        let stream = reader.get_mut();
        match answer {
            Answer::Json(status, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\nApi-Version: 1.51\r\n");
                if !matches!(status, 204 | 304) {
                    let length = body.len();
                    write!(
                        head,
                        "Content-Type: application/json\r\nContent-Length: {length}\r\n"
                    )
                    .unwrap();
                }
                head.push_str("\r\n");
                if !matches!(status, 204 | 304) && request.method != "HEAD" {
                    head.push_str(&body);
                }
                drop(stream.write_all(head.as_bytes()));
            }
            Answer::Stream(kind, body) => {
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n");
                drop(stream.write_all(head.as_bytes()));
                drop(stream.write_all(&body));
                return;
            }
            Answer::Shell => {
                drop(stream.write_all(UPGRADED.as_bytes()));
                drop(stream.write_all(b"# "));
                shell(stream, state);
                return;
            }
            Answer::Hijack(bytes) => {
                drop(stream.write_all(UPGRADED.as_bytes()));
                drop(stream.write_all(&bytes));
                drop(stream.shutdown(std::net::Shutdown::Write));
                let mut typed = Vec::new();
                drop(reader.read_to_end(&mut typed));
                state.lock().unwrap().typed.extend(typed);
                return;
            }
        }
    }
}

const UPGRADED: &str = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

/// Echoes what is typed until it contains `exit` or the client leaves.
fn shell(stream: &mut UnixStream, state: &Mutex<State>) {
    let mut chunk = [0; 256];
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        drop(stream.write_all(&chunk[..count]));
        let mut state = state.lock().unwrap();
        state.typed.extend(&chunk[..count]);
        if String::from_utf8_lossy(&state.typed).contains("exit") {
            return;
        }
    }
}

fn next_answer(answers: &mut Vec<(String, String, Answer)>, method: &str, path: &str) -> Answer {
    if path == "/_ping" {
        return Answer::Json(200, "OK".into());
    }
    let is_it = |(m, p, _): &(String, String, Answer)| m == method && p == path;
    let Some(at) = answers.iter().position(is_it) else {
        return Answer::Json(
            404,
            format!("{{\"message\":\"no answer for {method} {path}\"}}"),
        );
    };
    if answers.iter().filter(|a| is_it(a)).count() > 1 {
        answers.remove(at).2
    } else {
        answers[at].2.clone()
    }
}

fn read_request(reader: &mut BufReader<UnixStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let method = words.next()?.to_owned();
    let target = words.next()?.to_owned();
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        chunked |= header == "transfer-encoding: chunked";
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if chunked {
        body = read_chunks(reader)?;
    }
    let target = match target.strip_prefix("/v1.") {
        Some(rest) => rest[rest.find('/')?..].to_owned(),
        None => target,
    };
    Some(Request {
        method,
        target,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn read_chunks(reader: &mut BufReader<UnixStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend(&chunk[..size]);
    }
}
