//! `--secret` and `--ssh`.

use super::context::Given;
use crate::error::{Error, Result};
use crate::settings;
use api::build::{Agent, ContextSource, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

/// A secret is not larger, as in Docker.
const MAX: u64 = 500 << 10;
/// O_PATH: to hold a socket without speaking to it.
const PATH_ONLY: i32 = 0o10_000_000;

/// `id=NAME[,src=FILE|,env=VARIABLE]`; a lone id is a variable or a file of that name.
pub(super) fn secrets(flags: &[String]) -> Result<Vec<Secret>> {
    flags.iter().map(|flag| secret(flag)).collect()
}

fn secret(flag: &str) -> Result<Secret> {
    let invalid = |why: &str| Error::usage(format!("invalid secret '{flag}': {why}"));
    let (mut id, mut source, mut variable, mut kind) = ("", None, None, "");
    for part in flag.split(',') {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| invalid("expected key=value"))?;
        match key.to_lowercase().as_str() {
            "id" => id = value,
            "source" | "src" => source = Some(value),
            "env" => variable = Some(value),
            "type" if matches!(value, "file" | "env") => kind = value,
            _ => return Err(invalid(&format!("unexpected key '{key}'"))),
        }
    }
    if id.is_empty() {
        return Err(invalid("it has no id"));
    }
    if kind == "env" {
        variable = variable.or(source.take());
    }
    let bytes = match (source, variable) {
        (Some(path), _) => file(path)?,
        (None, Some(name)) => settings::environment(name)
            .ok_or_else(|| invalid(&format!("the environment has no {name}")))?
            .into_bytes(),
        (None, None) => match settings::environment(id).filter(|_| kind != "file") {
            Some(value) => value.into_bytes(),
            None => file(id)?,
        },
    };
    Ok(Secret {
        id: id.to_owned(),
        data: STANDARD.encode(bytes),
    })
}

fn file(path: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX + 1).read_to_end(&mut bytes));
    read.map_err(|why| Error::io("read secret", path, why))?;
    if bytes.len() as u64 > MAX {
        return Err(Error::local(format!(
            "secret {path} is larger than {MAX} bytes"
        )));
    }
    Ok(bytes)
}

/// `default`, `NAME` or `NAME=SOCKET`; without a socket the one that the environment names.
pub(super) fn agents(flags: &[String], given: &mut Given) -> Result<Vec<Agent>> {
    let mut out = Vec::new();
    for flag in flags {
        let (id, path) = match flag.split_once('=') {
            Some((id, path)) => (id, path.to_owned()),
            None => {
                let own = settings::environment("SSH_AUTH_SOCK").ok_or_else(|| {
                    Error::local(format!("invalid empty ssh agent socket: {flag}"))
                        .with_hint("start an agent, or name its socket: --ssh NAME=SOCKET")
                })?;
                (flag.as_str(), own)
            }
        };
        let mut options = File::options();
        let opened = options
            .read(true)
            .custom_flags(PATH_ONLY)
            .open(&path)
            .and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, socket) = opened.map_err(|why| Error::io("open SSH agent", &path, why))?;
        out.push(Agent {
            id: if id.is_empty() { "default" } else { id }.to_owned(),
            socket: ContextSource {
                kind: "socket".to_owned(),
                descriptor: socket.as_raw_fd(),
                device: metadata.dev(),
                inode: metadata.ino(),
                ..ContextSource::default()
            },
        });
        given.sockets.push(socket);
    }
    Ok(out)
}
