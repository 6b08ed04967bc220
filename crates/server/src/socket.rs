//! A unix socket.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connection::serve;
use crate::peer::Peer;
use crate::streams::Stream;

/// Who may connect: the owner and the group.
const MODE: u32 = 0o660;
/// Others may pass through its directory, not look into it.
const DIRECTORY_MODE: u32 = 0o711;
/// How many connections one user may hold; root, who can do anything anyway, more.
const MAX_CONNECTIONS: usize = 100;
const MAX_CONNECTIONS_ROOT: usize = 4096;
/// How long requests that have begun may take when the server stops. Containers do not notice.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Before trying to accept again: with no descriptor left, the next attempt fails as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a socket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another server answers there.
    #[error("another server answers on {0}")]
    InUse(PathBuf),
    /// Something else has that name.
    #[error("{0} exists and is no socket")]
    NoSocket(PathBuf),
    /// The file system refused.
    #[error("{op} {path}")]
    Io {
        /// What was tried.
        op: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// A unix socket that listens. Dropping it removes it.
#[derive(Debug)]
pub struct Socket {
    listener: net::UnixListener,
    path: PathBuf,
    /// Held as long as the socket is ours: two servers that find a dead one's socket can't both replace it.
    _lock: File,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It is ours while the lock is held. One that stays is stale, and the next server replaces it.
        drop(std::fs::remove_file(&self.path));
    }
}

impl Socket {
    /// Makes the socket, and its directory if it is missing. A socket on which nobody answers is replaced.
    ///
    /// # Errors
    /// Another server answers on it, something else has its name, or the file system refuses.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let fail = |op, path: &Path| {
            let path = path.to_owned();
            move |source| BindError::Io { op, path, source }
        };
        let directory = path.parent().unwrap_or(Path::new("/"));
        if !directory.exists() {
            let mut builder = DirBuilder::new();
            let made = builder
                .recursive(true)
                .mode(DIRECTORY_MODE)
                .create(directory);
            made.map_err(fail("create directory", directory))?;
            let permissions = Permissions::from_mode(DIRECTORY_MODE);
            let set = std::fs::set_permissions(directory, permissions);
            set.map_err(fail("set permissions of", directory))?;
        }
        let lock = lock(path)?;
        make_room(path)?;
        // Made where nobody else can go, and moved when its permissions are right: there is no moment at which others can
        // connect (CVE-2014-3499), and no umask, which all threads share, is touched.
        let private = with_suffix(path, ".new");
        // Left by a server that was killed here.
        drop(std::fs::remove_file(private.join("socket")));
        drop(std::fs::remove_dir(&private));
        let made = DirBuilder::new().mode(0o700).create(&private);
        made.map_err(fail("create directory", &private))?;
        let bound = bind_in(&private, path);
        drop(std::fs::remove_file(private.join("socket")));
        drop(std::fs::remove_dir(&private));
        let listener = bound.map_err(fail("bind", path))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves connections until `stop`. Requests that have begun then have a few seconds; containers do not notice.
    ///
    /// # Errors
    /// The socket can't be listened on.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
        self.listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let (stopping, stopped) = watch::channel(false);
        let guests = Guests::default();
        let mut tasks = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                Some(_) = tasks.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Over the limit: the client finds its connection closed.
            let Some(guest) = guests.admit(&stream) else {
                continue;
            };
            let router = router.clone();
            let mut stopped = stopped.clone();
            tasks.spawn(async move {
                let stop = async { drop(stopped.wait_for(|stopped| *stopped).await) };
                let peer = Peer::of(&stream);
                serve(Stream::Unix(stream), peer, router, stop).await;
                drop(guest);
            });
        }
        drop(listener);
        drop(self);
        stopping.send_replace(true);
        let all = async { while tasks.join_next().await.is_some() {} };
        drop(tokio::time::timeout(STOP_GRACE, all).await);
        tasks.shutdown().await;
        Ok(())
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

fn lock(path: &Path) -> Result<File, BindError> {
    let name = with_suffix(path, ".lock");
    let fail = |op| {
        let path = name.clone();
        move |source| BindError::Io { op, path, source }
    };
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(&name).map_err(fail("open"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BindError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(fail("lock")(source)),
    }
}

/// Makes sure that a socket that is there is dead.
fn make_room(path: &Path) -> Result<(), BindError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(BindError::Io {
                op: "look at",
                path: path.to_owned(),
                source,
            });
        }
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(BindError::NoSocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        // Whoever answers is no server of ours, which would hold the lock; but it answers.
        Ok(_) => Err(BindError::InUse(path.to_owned())),
        Err(source) => Err(BindError::Io {
            op: "connect to",
            path: path.to_owned(),
            source,
        }),
    }
}

fn bind_in(private: &Path, path: &Path) -> io::Result<net::UnixListener> {
    let socket = private.join("socket");
    let listener = net::UnixListener::bind(&socket)?;
    std::fs::set_permissions(&socket, Permissions::from_mode(MODE))?;
    std::fs::rename(&socket, path)?;
    Ok(listener)
}

/// Who is connected, and how often.
#[derive(Debug, Clone, Default)]
struct Guests(Arc<Mutex<HashMap<u32, usize>>>);

/// One connection of a user; dropping it makes room for another.
#[derive(Debug)]
struct Guest {
    guests: Guests,
    user: u32,
}

impl Guests {
    fn admit(&self, stream: &UnixStream) -> Option<Guest> {
        self.admit_user(stream.peer_cred().ok()?.uid())
    }

    fn admit_user(&self, user: u32) -> Option<Guest> {
        let max = if user == 0 {
            MAX_CONNECTIONS_ROOT
        } else {
            MAX_CONNECTIONS
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(user).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Guest {
            guests: self.clone(),
            user,
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests;
