//! How a container's first process comes into its namespaces.

use kernel::namespace::{self, Kind};
use kernel::process::{self, clone3, exit_now};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

use crate::channel::{Channel, Word};
use crate::error::{Error, Result};
use crate::idmap;
use crate::plan::{Namespaces, Plan};

/// Which process does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Birth {
    /// The first process is made with all new namespaces at once.
    Direct,
    /// A guide joins namespaces, which it may only with the caller's rights, then makes the others, and has the first process as a sibling.
    Early,
    /// A guide makes the whole container, and only its sibling is in the pid namespace that is joined: who is there sees nothing of how it is made.
    Late,
}

impl Birth {
    pub(crate) fn of(namespaces: &Namespaces) -> Self {
        let joins = |kind| namespaces.joined.iter().any(|(k, _)| *k == kind);
        let users = namespaces.made.contains(&Kind::User) || joins(Kind::User);
        match (joins(Kind::Pid), users, namespaces.joined.is_empty()) {
            (_, true, false) => Self::Early,
            (true, false, _) => Self::Late,
            _ => Self::Direct,
        }
    }
}

/// Takes the calling process, made by [`Birth`], into the container's namespaces but those that are made later. Of a guide with a sibling now only the
/// sibling returns.
pub(crate) fn enter(plan: &Plan, channel: &Channel) -> Result<()> {
    let identity = &plan.program.identity;
    let namespaces = &plan.namespaces;
    match namespaces.birth {
        Birth::Direct if plan.maps.is_some() => {
            // The maker writes them, and what a root of another user namespace may not write.
            channel.wait_for(Word::Go)?;
            idmap::become_root()
        }
        Birth::Direct | Birth::Late => {
            identity.adjust_oom()?;
            join(&namespaces.joined)
        }
        Birth::Early => {
            identity.adjust_oom()?;
            identity.raise_limits(None);
            join(&namespaces.joined)?;
            let mut made = namespaces.made.clone();
            if plan.maps.is_some() {
                made.retain(|kind| *kind != Kind::User);
                namespace::unshare(&[Kind::User])?;
                channel.send_unmapped()?;
                channel.wait_for(Word::Go)?;
                idmap::become_root()?;
            }
            if !made.is_empty() {
                namespace::unshare(&made)?;
            }
            follow(channel)
        }
    }
}

/// Makes a sibling of the calling process and ends; only the sibling returns, and not before it has been told of: what it
/// says itself comes after that.
pub(crate) fn follow(channel: &Channel) -> Result<()> {
    let (told, teller) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(Error::at("make", "pipe"))?;
    match clone3(process::SIBLING, None)? {
        Some((pid, pidfd)) => {
            channel.send_forked(pid, pidfd.as_fd())?;
            exit_now(0)
        }
        None => {
            drop(teller);
            // It ends with the one who tells.
            while let Err(Errno::INTR) = rustix::io::read(&told, &mut [0; 1]) {}
            Ok(())
        }
    }
}

/// Joins namespaces. With a user namespace among them the caller has other rights before and after: what it may not before it may after.
fn join(all: &[(Kind, OwnedFd)]) -> Result<()> {
    let user = all.iter().find(|(kind, _)| *kind == Kind::User);
    let mut later = Vec::new();
    for kind in Kind::ALL {
        let Some((_, fd)) = all.iter().find(|(k, _)| *k == kind && kind != Kind::User) else {
            continue;
        };
        match namespace::setns_one(fd, kind) {
            Err(error) if user.is_some() && error.errno() == Errno::PERM => later.push((kind, fd)),
            other => other?,
        }
    }
    if let Some((kind, fd)) = user {
        namespace::setns_one(fd, *kind)?;
        idmap::become_root()?;
    }
    for (kind, fd) in later {
        namespace::setns_one(fd, kind)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Birth;
    use crate::plan::Namespaces;
    use kernel::namespace::{Kind, open};

    #[test]
    fn the_usual_container_has_no_guide() {
        let own = |kind| (kind, open(None, kind).unwrap());
        let birth = |made: &[Kind], joined: &[Kind]| {
            Birth::of(&Namespaces {
                made: made.to_vec(),
                joined: joined.iter().copied().map(own).collect(),
                ..Namespaces::default()
            })
        };
        assert_eq!(birth(&[Kind::Mount, Kind::Pid], &[]), Birth::Direct);
        assert_eq!(birth(&[Kind::Mount], &[Kind::Net]), Birth::Direct);
        assert_eq!(birth(&[Kind::Mount, Kind::User], &[]), Birth::Direct);
        assert_eq!(
            birth(&[Kind::Mount, Kind::User], &[Kind::Net]),
            Birth::Early
        );
        assert_eq!(
            birth(&[Kind::Mount, Kind::Pid], &[Kind::User]),
            Birth::Early
        );
        assert_eq!(birth(&[Kind::Mount], &[Kind::Pid]), Birth::Late);
    }
}
