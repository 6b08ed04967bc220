//! A connection to systemd's manager.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::message::{self, ERROR, Message, RETURN, SIGNAL, Target, Value, garbled};
use super::refused;
use crate::error::{Error, Result};

const MANAGER: Target = Target {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
};

const DAEMON: Target = Target {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
};

/// How long systemd may take for one answer; a unit's start waits behind other jobs.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    serial: u32,
    /// Whether a broker stands between.
    brokered: bool,
    /// The ends of jobs that came before an answer: path and result.
    done: Vec<(String, String)>,
}

const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// Whether systemd doesn't know the unit.
pub(super) fn is_no_such_unit(error: &Error) -> bool {
    error.to_string().contains(NO_SUCH_UNIT)
}

impl Bus {
    /// Connects to the bus at `path`, and to who is called by it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut bus = Self::connect(path, true)?;
        bus.request(DAEMON, "Hello", &[])?;
        Ok(bus)
    }

    /// Connects to systemd itself.
    pub(super) fn open_private(path: &Path) -> Result<Self> {
        Self::connect(path, false)
    }

    fn connect(path: &Path, brokered: bool) -> Result<Self> {
        let shown = path.display().to_string();
        let stream = UnixStream::connect(path)
            .map_err(|e| Error::io("connect to systemd's bus at", &shown, e))?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .map_err(Error::at("set timeout of", &shown))?;
        let mut bus = Self {
            stream,
            serial: 0,
            brokered,
            done: Vec::new(),
        };
        bus.authenticate()?;
        Ok(bus)
    }

    /// The specification's "Authentication Protocol", mechanism EXTERNAL: the kernel tells who we are.
    fn authenticate(&mut self) -> Result<()> {
        let uid = rustix::process::geteuid().as_raw().to_string();
        let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.send(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() > 512 {
                return Err(garbled());
            }
            let mut byte = [0];
            self.receive(&mut byte)?;
            line.push(byte[0]);
        }
        if !line.starts_with(b"OK ") {
            let answer = String::from_utf8_lossy(&line).trim_end().to_owned();
            return Err(refused("systemd's bus doesn't let us in", answer));
        }
        self.send(b"BEGIN\r\n")
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream
            .write_all(bytes)
            .map_err(Error::at("send to", "systemd's bus"))
    }

    fn receive(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.stream
            .read_exact(bytes)
            .map_err(Error::at("wait for", "systemd's bus"))
    }

    fn next(&mut self) -> Result<Message> {
        let mut head = [0; 16];
        self.receive(&mut head)?;
        let mut all = vec![0; message::whole(&head)?];
        all[..16].copy_from_slice(&head);
        self.receive(&mut all[16..])?;
        message::parse(&all)
    }

    fn request(&mut self, target: Target, member: &str, args: &[Value]) -> Result<Message> {
        self.serial += 1;
        let serial = self.serial;
        self.send(&message::call(serial, target, member, args))?;
        loop {
            let message = self.next()?;
            match message.kind {
                RETURN if message.reply_to == Some(serial) => return Ok(message),
                ERROR if message.reply_to == Some(serial) => {
                    let text = message.words()?.into_iter().next().unwrap_or_default();
                    let why = format!("{member}: {text} ({})", message.error);
                    return Err(refused("systemd refuses", why));
                }
                SIGNAL => self.note(&message)?,
                _ => {}
            }
        }
    }

    /// Remembers the end of a job: `JobRemoved(u id, o job, s unit, s result)`.
    fn note(&mut self, message: &Message) -> Result<()> {
        if message.member == "JobRemoved"
            && let [_, job, _, result] = message.words()?.as_slice()
        {
            self.done.push((job.clone(), result.clone()));
        }
        Ok(())
    }

    /// Has the ends of jobs told.
    pub(super) fn follow_jobs(&mut self) -> Result<()> {
        if self.brokered {
            let rule =
                "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";
            self.request(DAEMON, "AddMatch", &[Value::from(rule.to_owned())])?;
            self.call("Subscribe", &[])?;
        }
        Ok(())
    }

    pub(super) fn call(&mut self, member: &str, args: &[Value]) -> Result<Message> {
        self.request(MANAGER, member, args)
    }

    /// Calls what answers with a job.
    pub(super) fn call_for_path(&mut self, member: &str, args: &[Value]) -> Result<String> {
        let words = self.call(member, args)?.words()?;
        words.into_iter().next().ok_or_else(garbled)
    }

    /// Waits for the end of a job.
    pub(super) fn finish(&mut self, job: &str, unit: &str) -> Result<()> {
        loop {
            let found = self.done.iter().find(|(path, _)| path == job);
            if let Some((_, result)) = found {
                return match result.as_str() {
                    "done" => Ok(()),
                    other => Err(refused(
                        "systemd's job didn't succeed",
                        format!("{unit}: {other}"),
                    )),
                };
            }
            let message = self.next()?;
            if message.kind == SIGNAL {
                self.note(&message)?;
            }
        }
    }
}
