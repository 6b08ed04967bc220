//! Who is at the other end of a connection.

use engine::build::Held;
use tokio::net::UnixStream;

/// The process at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// This one.
    Own,
    /// Another of this machine, by the kernel's word.
    Process(i32),
    /// Nobody knows.
    Stranger,
}

impl Peer {
    pub(crate) fn of(stream: &UnixStream) -> Self {
        match stream.peer_cred().ok().and_then(|peer| peer.pid()) {
            // Zero: a process that this one's pid namespace does not have.
            Some(pid) if pid > 0 => Self::Process(pid),
            _ => Self::Stranger,
        }
    }

    /// Something that the peer holds open; none if it can't be reached.
    pub(crate) fn held(self, source: &api::build::ContextSource) -> Option<Held> {
        let pid = match self {
            Self::Own => None,
            Self::Process(pid) => Some(pid),
            Self::Stranger => return None,
        };
        Some(Held {
            pid,
            descriptor: source.descriptor,
            device: source.device,
            inode: source.inode,
        })
    }
}
