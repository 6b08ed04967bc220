//! An SSH agent in a step: a socket of its own, whose connections go on to the client's agent.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, chmodat, chownat, openat};
use store::Ownership;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::error::{Error, Result};

/// Somebody listens until this is dropped.
#[derive(Debug)]
pub(super) struct Agent(AbortHandle);

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Agent {
    /// Listens at `name` in a directory; `socket` is the agent's own, opened as a path.
    pub(super) fn listen(
        directory: &Path,
        name: &str,
        socket: &OwnedFd,
        owner: Ownership,
    ) -> Result<Self> {
        let failed = |e: std::io::Error| Error::internal("listen for an SSH agent", e);
        let here = openat(
            rustix::fs::CWD,
            directory,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|e| failed(e.into()))?;
        // A socket's name is short, a directory's may be long.
        let short = format!("/proc/self/fd/{}/{name}", here.as_raw_fd());
        let listener = UnixListener::bind(short).map_err(failed)?;
        chownat(
            &here,
            name,
            Some(Uid::from_raw(owner.uid)),
            Some(Gid::from_raw(owner.gid)),
            AtFlags::empty(),
        )
        .and_then(|()| {
            chmodat(
                &here,
                name,
                Mode::from_raw_mode(owner.mode),
                AtFlags::empty(),
            )
        })
        .map_err(|e| failed(e.into()))?;
        let socket = socket.try_clone().map_err(failed)?;
        let task = tokio::spawn(serve(listener, socket));
        Ok(Self(task.abort_handle()))
    }
}

async fn serve(listener: UnixListener, socket: OwnedFd) {
    // Its tasks end with it.
    let mut connections = JoinSet::new();
    while let Ok((mut theirs, _)) = listener.accept().await {
        let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
        let Ok(mut ours) = UnixStream::connect(path).await else {
            // The agent is gone: the program in the container sees its connection closed.
            continue;
        };
        connections.spawn(async move {
            drop(tokio::io::copy_bidirectional(&mut theirs, &mut ours).await);
        });
    }
}
