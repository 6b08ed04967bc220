//! Tar archives on the user's side: the one place that knows `store`'s tar.
//!
//! What makes or reads a tar may block, so it has a thread of its own at the other end of a pipe.

pub(crate) mod layout;

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use store::{FileData, TarWriter, Walk};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;

/// Limits for what an engine sends: those of layers.
pub(crate) fn limits() -> store::Limits {
    store::Limits::default()
}

/// What a thread writes, as it is read. Its failure is the stream's.
#[derive(Debug)]
pub(crate) struct Made {
    pipe: pipe::Receiver,
    maker: Option<JoinHandle<Result<()>>>,
}

/// What `make` writes.
pub(crate) fn made(make: impl FnOnce(PipeWriter) -> Result<()> + Send + 'static) -> Result<Made> {
    let (reader, writer) =
        std::io::pipe().map_err(|why| Error::local("make a pipe").because(why))?;
    let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(reader));
    Ok(Made {
        pipe: pipe.map_err(|why| Error::local("make a pipe").because(why))?,
        maker: Some(tokio::task::spawn_blocking(move || make(writer))),
    })
}

impl AsyncRead for Made {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = out.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, out))?;
        if out.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        // The end: a good one?
        let Some(maker) = &mut self.maker else {
            return Poll::Ready(Ok(()));
        };
        let done = ready!(Pin::new(maker).poll(cx));
        self.maker = None;
        Poll::Ready(match done {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(std::io::Error::other(error.story())),
            Err(error) => Err(std::io::Error::other(error)),
        })
    }
}

/// Gives a stream to `read`, which runs in a thread, and returns what it returns; an error of the stream comes first.
pub(crate) async fn fed<T: Send + 'static>(
    mut stream: impl AsyncRead + Unpin,
    read: impl FnOnce(BufReader<PipeReader>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let piping = |why| Error::local("make a pipe").because(why);
    let (reader, writer) = std::io::pipe().map_err(piping)?;
    let mut writer = pipe::Sender::from_owned_fd(OwnedFd::from(writer)).map_err(piping)?;
    let reading =
        tokio::task::spawn_blocking(move || read(BufReader::with_capacity(64 << 10, reader)));
    let mut chunk = vec![0; 64 << 10];
    let broken = loop {
        match stream.read(&mut chunk).await {
            Ok(0) => break None,
            // A reader that has had enough says itself why.
            Ok(count) => match writer.write_all(&chunk[..count]).await {
                Ok(()) => {}
                Err(_) => break None,
            },
            Err(why) => break Some(Error::unreachable("read the archive", why)),
        }
    };
    drop(writer);
    let done = reading
        .await
        .map_err(|why| Error::local("read the archive").because(why))?;
    match broken {
        Some(error) => Err(error),
        None => done,
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Counted<R> {
    inner: R,
    count: Count,
}

/// How many bytes passed so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count(Arc<AtomicU64>);

impl Count {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<R> Counted<R> {
    pub(crate) fn new(inner: R) -> (Self, Count) {
        let count = Count::default();
        let counted = Self {
            inner,
            count: count.clone(),
        };
        (counted, count)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = out.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, out))?;
        let more = out.filled().len() - before;
        self.count.0.fetch_add(more as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

/// Writes what a walk finds into a tar.
pub(crate) fn write_walk<W: std::io::Write>(
    walk: &mut Walk,
    tar: &mut TarWriter<W>,
) -> store::Result<()> {
    while let Some(walked) = walk.next_entry()? {
        match walked.file {
            Some(file) => {
                let mut data = FileData::new(&walked.entry, file);
                tar.entry(&walked.entry, &mut data)?;
            }
            None => tar.entry(&walked.entry, &mut std::io::empty())?,
        }
    }
    Ok(())
}

/// Refuses a place for a file before anything is fetched, as docker does.
pub(crate) fn check_place(path: &str) -> Result<()> {
    let parent = Path::new(path.trim_end_matches('/')).parent();
    let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent
        && !parent.is_dir()
    {
        return Err(Error::local(format!(
            "invalid output path: directory {:?} does not exist",
            parent.display()
        )));
    }
    Ok(())
}

/// A file that has its name only when it is whole. What is no regular file, such as a named pipe, is written as it is.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: tokio::fs::File,
    path: PathBuf,
    draft: Option<PathBuf>,
}

impl NewFile {
    pub(crate) fn create(path: &str) -> Result<Self> {
        check_place(path)?;
        let failed = |why| Error::io("create", path, why);
        let special = std::fs::metadata(path).is_ok_and(|meta| {
            let kind = meta.file_type();
            kind.is_fifo() || kind.is_char_device() || kind.is_socket()
        });
        if special {
            let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
            return Ok(Self {
                file: file.into(),
                path: path.into(),
                draft: None,
            });
        }
        let draft = PathBuf::from(format!("{path}.{}.part", std::process::id()));
        let file: File = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .map_err(failed)?;
        Ok(Self {
            file: file.into(),
            path: path.into(),
            draft: Some(draft),
        })
    }

    pub(crate) fn writer(&mut self) -> &mut tokio::fs::File {
        &mut self.file
    }

    /// It is whole.
    pub(crate) async fn keep(mut self) -> Result<()> {
        let path = self.path.clone();
        let failed = |why| Error::io("write", path.display(), why);
        self.file.flush().await.map_err(failed)?;
        if let Some(draft) = self.draft.take() {
            let renamed = std::fs::rename(&draft, &self.path).map_err(failed);
            if renamed.is_err() {
                drop(std::fs::remove_file(&draft));
            }
            renamed?;
        }
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(draft) = self.draft.take() {
            drop(std::fs::remove_file(draft));
        }
    }
}
