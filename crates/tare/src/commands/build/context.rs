//! What a build is given: directories are held open for the engine to read in place, standard input is passed on.

use super::Args;
use crate::error::{Error, Result};
use crate::terminal;
use api::build::ContextSource;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A Dockerfile is not longer.
const MAX: u64 = 4 << 20;
/// Of standard input, to see what it is.
const HEAD: usize = 512;

/// What a build is given.
pub(super) struct Given {
    pub(super) context: ContextSource,
    pub(super) contexts: BTreeMap<String, ContextSource>,
    pub(super) dockerfile: String,
    pub(super) text: Option<String>,
    pub(super) ignore: Option<String>,
    /// The tar of a context that comes through standard input.
    pub(super) stream: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Open as long as the engine may look; by name, the main one's is empty.
    pub(super) held: Vec<(String, File)>,
    /// The sockets of agents, held like them.
    pub(super) sockets: Vec<File>,
}

impl Given {
    pub(super) fn of(args: &Args) -> Result<Self> {
        let mut given = Self {
            context: ContextSource::default(),
            contexts: BTreeMap::new(),
            dockerfile: String::new(),
            text: None,
            ignore: None,
            stream: None,
            held: Vec::new(),
            sockets: Vec::new(),
        };
        match args.context.as_str() {
            "-" => given.standard_input(args)?,
            path if is_remote(path) => {
                return Err(Error::local(format!(
                    "{path}: contexts at addresses are not supported yet"
                ))
                .with_hint(format!("git clone {path} context && tare build context")));
            }
            path => given.directory(args, Path::new(path))?,
        }
        for (name, value) in &args.build_context {
            let source = match value.split_once("://") {
                Some(("docker-image", reference)) => ContextSource {
                    kind: "image".to_owned(),
                    reference: reference.to_owned(),
                    ..ContextSource::default()
                },
                _ if is_remote(value) => {
                    return Err(Error::local(format!(
                        "{value}: contexts at addresses are not supported yet"
                    ))
                    .with_hint(format!("--build-context {name}=PATH")));
                }
                _ => given.hold(name, Path::new(value))?,
            };
            given.contexts.insert(name.clone(), source);
        }
        Ok(given)
    }

    fn directory(&mut self, args: &Args, path: &Path) -> Result<()> {
        self.context = self.hold("", path)?;
        let (shown, file, text) = match args.file.as_deref() {
            Some("-") => ("-".to_owned(), None, read_input()?),
            Some(file) => {
                let found = find(path, file);
                (file.to_owned(), Some(found.clone()), read(&found)?)
            }
            None => {
                let found = path.join("Dockerfile");
                let text = read(&found).map_err(|error| hint(error, path))?;
                (found.display().to_string(), Some(found), text)
            }
        };
        self.dockerfile = shown;
        self.text = Some(text);
        let own = file.map(|file| {
            let mut name = file.into_os_string();
            name.push(".dockerignore");
            PathBuf::from(name)
        });
        for candidate in own.into_iter().chain([path.join(".dockerignore")]) {
            if candidate.is_file() {
                self.ignore = Some(read(&candidate)?);
                break;
            }
        }
        Ok(())
    }

    fn standard_input(&mut self, args: &Args) -> Result<()> {
        if args.file.as_deref() == Some("-") {
            return Err(Error::usage(
                "invalid argument: can't use stdin for both build context and dockerfile",
            ));
        }
        if terminal::input() {
            return Err(Error::local(
                "the build context is to come from standard input, which is a terminal",
            )
            .with_hint("tare build - < Dockerfile, or tare build PATH"));
        }
        let mut head = Vec::new();
        let mut input = std::io::stdin().lock();
        let taken = input.by_ref().take(HEAD as u64).read_to_end(&mut head);
        taken.map_err(|why| Error::io("read", "standard input", why))?;
        if is_archive(&head) {
            let rest = tokio::io::stdin();
            self.context.kind = "stream".to_owned();
            self.dockerfile = args.file.clone().unwrap_or_default();
            let head = std::io::Cursor::new(head);
            self.stream = Some(Box::new(AsyncReadExt::chain(head, rest)));
            return Ok(());
        }
        let mut bytes = head;
        let rest = input.take(MAX).read_to_end(&mut bytes);
        rest.map_err(|why| Error::io("read", "standard input", why))?;
        self.dockerfile = "-".to_owned();
        self.text = Some(text(bytes, "standard input")?);
        Ok(())
    }

    fn hold(&mut self, name: &str, path: &Path) -> Result<ContextSource> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|why| {
            Error::local(format!(
                "unable to prepare context: path {:?} not found",
                path.display().to_string()
            ))
            .because(why)
        })?;
        if !metadata.is_dir() {
            return Err(Error::local(format!(
                "unable to prepare context: {} is not a directory",
                path.display()
            ))
            .with_hint(format!("tare build -f {} DIRECTORY", path.display())));
        }
        let source = ContextSource {
            kind: "directory".to_owned(),
            descriptor: file.as_raw_fd(),
            device: metadata.dev(),
            inode: metadata.ino(),
            ..ContextSource::default()
        };
        self.held.push((name.to_owned(), file));
        Ok(source)
    }
}

fn is_remote(text: &str) -> bool {
    [
        "http://",
        "https://",
        "git://",
        "ssh://",
        "git@",
        "github.com/",
    ]
    .iter()
    .any(|start| text.starts_with(start))
}

/// `-f` is seen from where the command runs; Docker also finds it in the context.
fn find(context: &Path, file: &str) -> PathBuf {
    let inside = context.join(file);
    if Path::new(file).exists() || !inside.exists() {
        PathBuf::from(file)
    } else {
        inside
    }
}

fn hint(error: Error, context: &Path) -> Error {
    let near = std::fs::read_dir(context).ok().and_then(|entries| {
        let names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        let like = |name: &&String| {
            let lower = name.to_lowercase();
            lower.contains("dockerfile") || lower.contains("containerfile")
        };
        names.iter().find(like).cloned()
    });
    match near {
        Some(name) => error.with_hint(format!("did you mean -f {}?", context.join(name).display())),
        None => error.with_hint("name it with -f"),
    }
}

fn read(path: &Path) -> Result<String> {
    let shown = path.display().to_string();
    let failed =
        |why| Error::local(format!("failed to read dockerfile: open {shown}")).because(why);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX + 1).read_to_end(&mut bytes))
        .map_err(|why: std::io::Error| failed(why))?;
    text(bytes, &shown)
}

fn read_input() -> Result<String> {
    let mut bytes = Vec::new();
    let taken = std::io::stdin()
        .lock()
        .take(MAX + 1)
        .read_to_end(&mut bytes);
    taken.map_err(|why| Error::io("read", "standard input", why))?;
    text(bytes, "standard input")
}

fn text(bytes: Vec<u8>, name: &str) -> Result<String> {
    if bytes.len() as u64 > MAX {
        return Err(Error::local(format!("{name} is longer than {MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Error::local(format!("{name} is not text in UTF-8")))
}

/// Whether it is a tar, compressed or not.
fn is_archive(head: &[u8]) -> bool {
    let magic: [&[u8]; 4] = [
        &[0x1f, 0x8b],
        b"BZh",
        &[0xfd, b'7', b'z', b'X', b'Z', 0],
        &[0x28, 0xb5, 0x2f, 0xfd],
    ];
    magic.iter().any(|m| head.starts_with(m)) || head.get(257..262) == Some(b"ustar")
}
