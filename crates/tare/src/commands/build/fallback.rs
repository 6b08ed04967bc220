//! A context for an engine that can't read it in place: a tar of what `.dockerignore` leaves, written while it is sent.

use super::context::Given;
use crate::error::{Error, Result};
use api::build::BuildOptions;
use dockerfile::Ignore;
use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use store::{Bounds, EntryKind, FileData, TarWriter, Walk};
use tokio::io::AsyncRead;

type Tar = Box<dyn AsyncRead + Send + Unpin>;

/// The same build with its directories as one tar: the main context in `context/`, each other in a directory of its own.
pub(super) fn stream(given: &Given, mut options: BuildOptions) -> Result<(BuildOptions, Tar)> {
    let ignore = Ignore::parse(given.ignore.as_deref().unwrap_or_default())
        .map_err(|why| Error::local(format!(".dockerignore: {why}")))?;
    let mut parts = Vec::new();
    for (number, (name, file)) in given.held.iter().enumerate() {
        let prefix = format!("context{number}");
        let source = if name.is_empty() {
            &mut options.context
        } else {
            options.contexts.entry(name.clone()).or_default()
        };
        source.kind = "stream".to_owned();
        source.prefix.clone_from(&prefix);
        let file = file
            .try_clone()
            .map_err(|why| Error::io("hold", "the context", why))?;
        let left_out = if name.is_empty() {
            ignore.clone()
        } else {
            Ignore::default()
        };
        parts.push((prefix, file, left_out));
    }
    let failed = |why| Error::io("send", "the context", why);
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    let ours = tokio::net::UnixStream::from_std(ours).map_err(failed)?;
    // A writer whose reader went away ends by itself.
    std::thread::spawn(move || {
        if let Err(error) = write(&theirs, &parts) {
            crate::output::say(&format!("tare: send the context: {}", error.story()));
        }
    });
    Ok((options, Box::new(ours)))
}

fn write(out: impl Write, parts: &[(String, File, Ignore)]) -> Result<()> {
    let mut tar = TarWriter::new(std::io::BufWriter::with_capacity(256 << 10, out));
    for (prefix, file, ignore) in parts {
        let prefix = format!("{prefix}/");
        let mut walk = Walk::merged(file, prefix.as_bytes(), Bounds::AllMounts)?;
        let mut sent = HashSet::new();
        while let Some(walked) = walk.next_entry()? {
            let path = String::from_utf8_lossy(&walked.entry.path);
            let inside = path.strip_prefix(&prefix).unwrap_or(&path);
            let inside = inside.trim_end_matches('/').to_owned();
            let inside = inside.as_str();
            if ignore.excludes(inside) && !ignore.may_keep_below(inside) {
                continue;
            }
            let (mut entry, mut data) = (walked.entry, walked.file);
            if let EntryKind::HardLink(first) = &entry.kind {
                if !sent.contains(first) {
                    // The first name of the file is left out: this one becomes the file.
                    let path = format!("/proc/self/fd/{}/{inside}", file.as_raw_fd());
                    let (whole, size) = open(&path)?;
                    entry.kind = EntryKind::File;
                    entry.size = size;
                    data = Some(whole);
                    sent.insert(entry.path.clone());
                }
            } else {
                sent.insert(entry.path.clone());
            }
            match data {
                Some(file) => {
                    let mut data = FileData::new(&entry, file);
                    tar.entry(&entry, &mut data)?;
                }
                None => tar.entry(&entry, &mut std::io::empty())?,
            }
        }
    }
    tar.finish()?;
    Ok(())
}

fn open(path: &str) -> Result<(File, u64)> {
    File::open(path)
        .and_then(|file| Ok((file.metadata()?.len(), file)))
        .map(|(size, file)| (file, size))
        .map_err(|why| Error::io("open", path, why))
}
