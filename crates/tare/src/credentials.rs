//! The user's credentials for registries, where Docker's clients keep them: a file, or the programs that it names.

use crate::error::{Error, Result};
use crate::settings::{self, Settings};
use kernel::process::{Executable, Spawn};
use registry::{Credentials, Found, StoredFile};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A helper's answer is not longer.
const MAX_ANSWER: u64 = 1 << 20;
/// What helpers say when they have nothing (docker-credential-helpers, `credentials/error.go`).
const NOTHING: &str = "credentials not found in native keychain";

/// What the engine is to show to a registry: the value of `X-Registry-Auth`, nothing if there are no credentials.
pub(crate) async fn header(settings: &Settings, registry: &str) -> Result<String> {
    let found = find(settings, registry)?;
    Ok(if found.is_anonymous() {
        String::new()
    } else {
        found.to_header(&StoredFile::key(registry))
    })
}

/// The credentials of a registry.
pub(crate) fn find(settings: &Settings, registry: &str) -> Result<Credentials> {
    match read(settings)?.find(registry).map_err(of_file)? {
        Found::Here(credentials) => Ok(credentials),
        Found::Helper { name, key } => ask(&name, &key),
    }
}

/// The file.
pub(crate) fn read(settings: &Settings) -> Result<StoredFile> {
    let path = path(settings);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(why) => return Err(Error::io("read", path.display(), why)),
    };
    StoredFile::parse(&text).map_err(|error| {
        let hint = error.hint.clone();
        let own = Error::local(format!("{}: {}", path.display(), error.chain()));
        match hint {
            Some(hint) => own.with_hint(hint),
            None => own,
        }
    })
}

pub(crate) fn path(settings: &Settings) -> PathBuf {
    settings.docker_config.join("config.json")
}

fn of_file(error: registry::Error) -> Error {
    let own = Error::local(error.chain());
    match error.hint {
        Some(hint) => own.with_hint(hint),
        None => own,
    }
}

/// What a helper has under a key.
fn ask(name: &str, key: &str) -> Result<Credentials> {
    let answer = match call(name, "get", key.as_bytes())? {
        Answer::Good(answer) => answer,
        Answer::Bad(text) if text.contains(NOTHING) => return Ok(Credentials::Anonymous),
        Answer::Bad(text) => return Err(refused(name, "get", &text)),
    };
    let answer: serde_json::Value = serde_json::from_str(&answer)
        .map_err(|why| refused(name, "get", &format!("its answer is no JSON: {why}")))?;
    let text = |name: &str| {
        answer
            .get(name)
            .and_then(|v| v.as_str())
            .unwrap_or_default()
    };
    let (username, secret) = (text("Username").to_owned(), text("Secret").to_owned());
    Ok(match username.as_str() {
        // By this name helpers keep identity tokens.
        "<token>" => Credentials::Identity(secret),
        "" => Credentials::Anonymous,
        _ => Credentials::Basic {
            username,
            password: secret,
        },
    })
}

/// What a helper answers.
pub(crate) enum Answer {
    Good(String),
    /// It failed, and says why.
    Bad(String),
}

pub(crate) fn refused(name: &str, action: &str, text: &str) -> Error {
    Error::local(format!(
        "docker-credential-{name} {action}: {}",
        text.trim()
    ))
}

/// Calls a helper. What is secret goes by its standard input, never by its arguments.
pub(crate) fn call(name: &str, action: &str, input: &[u8]) -> Result<Answer> {
    let program = format!("docker-credential-{name}");
    let environment = settings::whole_environment();
    let place = environment
        .iter()
        .find(|(variable, _)| variable == "PATH")
        .and_then(|(_, path)| {
            let mut folders = path.as_bytes().split(|b| *b == b':');
            folders.find_map(|folder| {
                let path = Path::new(std::ffi::OsStr::from_bytes(folder)).join(&program);
                path.is_file().then_some(path)
            })
        })
        .ok_or_else(|| {
            Error::local(format!(
                "{program} is not installed, and the client's configuration names it"
            ))
            .with_hint(
                "install it, or take \"credsStore\" and \"credHelpers\" out of the configuration",
            )
        })?;
    let failed = |why: std::io::Error| Error::io("run", &program, why);
    let (stdin, mut input_end) = std::io::pipe().map_err(failed)?;
    let (output_end, stdout) = std::io::pipe().map_err(failed)?;
    let mut spawn = Spawn::new(
        Executable::Path(place),
        [program.clone(), action.to_owned()],
    )
    .fd(stdin, 0)
    .fd(stdout, 1);
    for (variable, value) in &environment {
        spawn = spawn.env(variable, value);
    }
    let child = spawn
        .start()
        .map_err(|why| Error::local(format!("run {program}")).because(why))?;
    // A helper that reads nothing of it has its reasons, which it tells.
    drop(input_end.write_all(input));
    drop(input_end);
    let mut answer = Vec::new();
    let read = output_end.take(MAX_ANSWER).read_to_end(&mut answer);
    let status = child
        .wait()
        .map_err(|why| Error::local(format!("wait for {program}")).because(why))?;
    read.map_err(failed)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok(if status.success() {
        Answer::Good(answer)
    } else {
        Answer::Bad(answer)
    })
}
