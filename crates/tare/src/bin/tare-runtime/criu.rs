//! CRIU, the program that writes processes to files and makes them again: started for one request (`criu swrk`), spoken to in its own
//! words (rpc.proto of CRIU 3.0 and later).

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use kernel::process::{Child, Executable, Spawn};
use kernel::socket::{recv_with_fds, send_with_fds};

use crate::fault::{Fault, Result};
use crate::ps::program;

mod message;
mod options;
mod request;

pub(crate) use message::Message;
pub(crate) use options::{Images, SHARED, external_mount, joined, options};
pub(crate) use request::{Kind, Notice, Response};

/// More than CRIU says at once.
const LIMIT: usize = 64 << 10;

/// CRIU at work on one request.
#[derive(Debug)]
pub(crate) struct Criu {
    socket: OwnedFd,
    pub(crate) child: Child,
}

impl Criu {
    /// Where it is.
    pub(crate) fn find() -> Result<PathBuf> {
        program("criu").ok_or_else(|| {
            Fault::new(
                "checkpoint and restore need the program criu, which is not on the PATH: install CRIU (Debian: the package criu)",
            )
        })
    }

    /// Starts it with this process's standard streams, `more` as descriptors from 4 on, in the cgroup whose `cgroup.procs` are `group`.
    pub(crate) fn start(program: PathBuf, more: Vec<OwnedFd>, group: Vec<File>) -> Result<Self> {
        let (ours, theirs) = kernel::socket::pair().map_err(Fault::at("start criu"))?;
        let mut spawn = Spawn::new(Executable::Path(program), ["criu", "swrk", "3"]).fd(theirs, 3);
        let streams = [
            (std::io::stdin().as_fd().try_clone_to_owned(), 0),
            (std::io::stdout().as_fd().try_clone_to_owned(), 1),
            (std::io::stderr().as_fd().try_clone_to_owned(), 2),
        ];
        for (stream, number) in streams {
            spawn = spawn.fd(stream.map_err(Fault::at("start criu"))?, number);
        }
        for (fd, number) in more.into_iter().zip(4..) {
            spawn = spawn.fd(fd, number);
        }
        spawn.cgroup = group;
        spawn.env = environment();
        let child = spawn.start().map_err(Fault::at("start criu"))?;
        Ok(Self {
            socket: ours,
            child,
        })
    }

    /// Asks it to do `kind` with `options`, and listens until it is done; each notice is told to `hear`.
    pub(crate) fn ask(
        &self,
        kind: Kind,
        options: Message,
        mut hear: impl FnMut(&Notice, Vec<OwnedFd>) -> Result<()>,
    ) -> Result<Response> {
        let mut request = Message::default();
        request.number(1, kind.number());
        request.message(2, options);
        self.send(request)?;
        let mut buffer = vec![0; LIMIT];
        loop {
            let (length, fds) =
                recv_with_fds(&self.socket, &mut buffer).map_err(Fault::at("listen to criu"))?;
            if length == 0 {
                return Err(Fault::new("criu ended without an answer"));
            }
            let response = Response::read(&buffer[..length])
                .ok_or_else(|| Fault::new("criu's answer can't be read"))?;
            if !response.success {
                return Err(Fault::new(response.complaint()));
            }
            let Some(notice) = &response.notice else {
                return Ok(response);
            };
            hear(notice, fds)?;
            let mut heard = Message::default();
            heard.number(1, Kind::Notify.number());
            heard.flag(3, true);
            self.send(heard)?;
        }
    }

    fn send(&self, message: Message) -> Result<()> {
        send_with_fds(&self.socket, &message.into_bytes(), &[]).map_err(Fault::at("tell criu"))?;
        Ok(())
    }

    /// Lets it end, and waits for that.
    pub(crate) fn finish(self) -> Result<bool> {
        drop(self.socket);
        let status = self.child.wait().map_err(Fault::at("wait for criu"))?;
        Ok(status.success())
    }
}

/// All variables of this process: the programs that CRIU runs are found by them.
pub(crate) fn environment() -> Vec<OsString> {
    std::env::vars_os()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            name
        })
        .collect()
}

/// What CRIU's log says of errors, for a message: the first few lines, and where the others are.
pub(crate) fn reasons(log: &Path) -> String {
    let Ok(file) = File::open(log) else {
        return String::new();
    };
    let lines = BufReader::new(file)
        .lines()
        .map_while(std::result::Result::ok);
    let errors: Vec<String> = lines
        .filter(|line| line.contains("Error"))
        .take(3)
        .collect();
    match errors.as_slice() {
        [] => format!("; see {}", log.display()),
        errors => format!(": {}; see {}", errors.join("; "), log.display()),
    }
}
