//! Ids of user namespaces: which of them stand for which of the host's.

use std::ffi::OsString;
use std::os::fd::OwnedFd;

use kernel::Pid;
use kernel::namespace::{self, Kind};
use kernel::process::{self, Executable, PidFd, Spawn, clone3, exit_now};
use kernel::signal::SIGKILL;
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, openat};
use rustix::io::Errno;
use rustix::thread;
use spec::runtime::IdMapping;

use crate::channel::{self, Word};
use crate::error::{Error, Result};

/// The maps of a user namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IdMaps {
    uids: Vec<IdMapping>,
    gids: Vec<IdMapping>,
}

/// The kernel takes 340 ranges (Linux 4.15), in one write.
const MOST: usize = 340;

impl IdMaps {
    /// `what` names them in errors.
    pub(crate) fn new(what: &str, uids: &[IdMapping], gids: &[IdMapping]) -> Result<Self> {
        for (kind, map) in [("uidMappings", uids), ("gidMappings", gids)] {
            let refused = |why| Err(Error::invalid(why, format!("{what}: {kind}")));
            if map.is_empty() {
                return refused("map ids without");
            }
            if map.len() > MOST {
                return refused("map more than 340 ranges:");
            }
            let ends = |first: u32, size: u32| first.checked_add(size).is_none();
            if map.iter().any(|one| {
                one.size == 0 || ends(one.container_id, one.size) || ends(one.host_id, one.size)
            }) {
                return refused("map a range of no ids, or beyond the last id:");
            }
        }
        Ok(Self {
            uids: uids.to_vec(),
            gids: gids.to_vec(),
        })
    }

    /// Whether user and group 0 are among those inside.
    pub(crate) fn has_root(&self) -> bool {
        let zero = |map: &[IdMapping]| map.iter().any(|one| one.container_id == 0);
        zero(&self.uids) && zero(&self.gids)
    }

    /// Gives them to the new user namespace of the process `pid`.
    pub(crate) fn write(&self, pid: Pid) -> Result<()> {
        let privileged = rustix::process::geteuid().is_root();
        if !privileged && self.is_own() {
            // Who has no rights may map only themselves, and gives up the right to drop groups (CVE-2014-8989).
            put(pid, "setgroups", "deny")?;
        }
        self.one(pid, "gid_map", "newgidmap", &self.gids)?;
        self.one(pid, "uid_map", "newuidmap", &self.uids)
    }

    /// Whether they map the caller's own ids alone.
    fn is_own(&self) -> bool {
        let own =
            |map: &[IdMapping], id: u32| matches!(map, [one] if one.host_id == id && one.size == 1);
        own(&self.uids, rustix::process::geteuid().as_raw())
            && own(&self.gids, rustix::process::getegid().as_raw())
    }

    fn one(&self, pid: Pid, file: &str, helper: &str, map: &[IdMapping]) -> Result<()> {
        let text: String = map
            .iter()
            .map(|one| format!("{} {} {}\n", one.container_id, one.host_id, one.size))
            .collect();
        match put(pid, file, &text) {
            Err(error)
                if error.errno() == Some(Errno::PERM.raw_os_error())
                    && !rustix::process::geteuid().is_root() =>
            {
                helped(pid, helper, map)
            }
            other => other,
        }
    }

    /// A user namespace with these maps, for mounts whose owners are mapped: nobody is in it.
    pub(crate) fn namespace(&self) -> Result<OwnedFd> {
        let (ours, theirs) = channel::pair()?;
        let flags = namespace::clone_flags(&[Kind::User]);
        let Some((pid, pidfd)) = clone3(flags, None)? else {
            drop(ours);
            // Until it is killed, or its maker has ended.
            drop(theirs.wait_for(Word::Go));
            exit_now(0)
        };
        drop(theirs);
        let namespace = self
            .write(pid)
            .and_then(|()| Ok(namespace::open(Some(pid), Kind::User)?));
        end(&pidfd);
        drop(ours);
        namespace
    }
}

fn end(process: &PidFd) {
    drop(process.signal(SIGKILL));
    drop(process.wait());
}

/// Writes to a file of the process `pid`.
pub(crate) fn put(pid: Pid, file: &str, text: &str) -> Result<()> {
    let path = format!("/proc/{}/{file}", pid.as_raw_nonzero());
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let opened =
        openat(CWD, &path, flags, Mode::empty()).map_err(|e| Error::io("open", &path, e))?;
    match rustix::io::write(&opened, text.as_bytes()) {
        Ok(count) if count == text.len() => Ok(()),
        Ok(_) => Err(Error::io("write", &path, Errno::IO)),
        Err(error) => Err(Error::io("write", &path, error)),
    }
}

/// Has the programs of shadow(5) map what `/etc/subuid` and `/etc/subgid` give the caller. Only from where the host's administrator puts programs.
fn helped(pid: Pid, helper: &str, map: &[IdMapping]) -> Result<()> {
    const DIRECTORIES: [&str; 3] = ["/usr/bin", "/bin", "/usr/local/bin"];
    let found = DIRECTORIES
        .iter()
        .map(|directory| format!("{directory}/{helper}"))
        .find(|path| rustix::fs::access(path.as_str(), rustix::fs::Access::EXEC_OK).is_ok());
    let path = found.ok_or_else(|| {
        Error::unsupported(
            "map ids without root's rights and without the program",
            helper,
        )
    })?;
    let mut args: Vec<OsString> = vec![helper.into(), pid.as_raw_nonzero().to_string().into()];
    for one in map {
        for number in [one.container_id, one.host_id, one.size] {
            args.push(number.to_string().into());
        }
    }
    let child = Spawn::new(Executable::Path(path.clone().into()), args).start()?;
    match child.wait()? {
        process::ExitStatus::Exited(0) => Ok(()),
        status => Err(Error::invalid(
            "map ids that the host doesn't give this user:",
            format!("{path} ended with {}", status.code()),
        )),
    }
}

/// Becomes root of the user namespace that the caller is in: what it makes from here on has an owner there.
pub(crate) fn become_root() -> Result<()> {
    let at = |what: &'static str| move |e: Errno| Error::io("become", what, e);
    match thread::set_thread_groups(&[]) {
        // Where the map was written without rights.
        Ok(()) | Err(Errno::PERM) => {}
        Err(error) => return Err(at("root's groups")(error)),
    }
    let (uid, gid) = (Uid::ROOT, Gid::ROOT);
    thread::set_thread_res_gid(gid, gid, gid).map_err(at("group 0 of the user namespace"))?;
    thread::set_thread_res_uid(uid, uid, uid).map_err(at("user 0 of the user namespace"))?;
    // The change of ids may have set it anew.
    process::forbid_tracing()?;
    Ok(())
}

#[cfg(test)]
mod tests;
