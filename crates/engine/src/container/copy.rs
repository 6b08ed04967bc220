//! Files into a container and out of it, as tars. No name leads out of it: each is resolved by the kernel below the container's root.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use kernel::Errno;
use kernel::root::RootDir;
use rustix::fs::{FileType, Stat};
use state::ContainerRow;
use store::{Bounds, Conflicts, Extraction, Owners, TarWriter, Walk};

use super::export::write_walk;
use super::files::{self, View};
use super::lookup;
use super::stored::Stored;
use crate::error::{Error, Kind, Result};
use crate::event::Happened;
use crate::open::Inner;

/// Links passed on the way to a target before it is a loop, as in the kernel.
const MAX_LINKS: u32 = 40;
/// No larger file of users is read.
const MAX_ACCOUNTS: u64 = 4 << 20;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStat {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// Its type and permissions, as stat(2) has them.
    pub mode: u32,
    /// When it was last modified.
    pub modified: Timestamp,
    /// Where a link leads to in the container, all links on the way followed; empty if it is none.
    pub link_target: String,
}

/// How files are put into a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutRequest {
    /// A directory never replaces something else, nor something else a directory.
    pub keep_kinds: bool,
    /// They belong to the container's user, if it has one.
    pub own: bool,
}

/// What the path in a container is, as it was asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    row: ContainerRow,
    path: PathBuf,
}

impl Asked {
    pub(super) fn new(inner: &Inner, name: &str, path: &str) -> Result<Self> {
        if path.is_empty() {
            return Err(Error::invalid("bad parameter: path cannot be empty"));
        }
        Ok(Self {
            row: lookup::find(inner, name)?,
            path: absolute(path),
        })
    }

    /// The name that it has in an archive.
    fn name(&self) -> Vec<u8> {
        if self.path.as_os_str().as_bytes().ends_with(b"/.") {
            return b".".to_vec();
        }
        self.path
            .file_name()
            .map_or_else(|| b"/".to_vec(), |name| name.as_bytes().to_vec())
    }

    /// Whether a link at its end is followed: a slash says so.
    fn is_directory(&self) -> bool {
        let bytes = self.path.as_os_str().as_bytes();
        bytes.ends_with(b"/") || bytes.ends_with(b"/.") || self.path.file_name().is_none()
    }

    fn failed(&self, error: kernel::Error) -> Error {
        match error.errno() {
            Errno::NOENT | Errno::NOTDIR => Error::not_found(format!(
                "Could not find the file {} in container {}",
                self.path.display(),
                self.row.name
            )),
            Errno::LOOP => Error::invalid(format!(
                "{}: too many levels of symbolic links",
                self.path.display()
            )),
            _ => error.into(),
        }
    }

    /// The directory that it is in, and its name there.
    fn place(&self, root: &RootDir) -> Result<(OwnedFd, OsString)> {
        if self.is_directory() {
            let directory = root.open_dir(&self.path).map_err(|e| self.failed(e))?;
            return Ok((directory.into_fd(), ".".into()));
        }
        let (parent, name) = root.parent(&self.path).map_err(|e| self.failed(e))?;
        Ok((parent, name.to_owned()))
    }

    fn stat(&self, root: &RootDir) -> Result<PathStat> {
        let (parent, name) = self.place(root)?;
        let stat = kernel::root::stat_at(&parent, &name).map_err(|e| self.failed(e))?;
        let link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        let target = if link {
            target(root, &self.path)?.display().to_string()
        } else {
            String::new()
        };
        Ok(PathStat {
            name: String::from_utf8_lossy(&self.name()).into_owned(),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mode: stat.st_mode,
            modified: modified(&stat),
            link_target: target,
        })
    }
}

fn modified(stat: &Stat) -> Timestamp {
    let nanos = i32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    Timestamp::new(stat.st_mtime, nanos).unwrap_or_default()
}

/// From the container's root, without `.` and `..`; what the end of a path says of it stays.
fn absolute(path: &str) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    let mut text = clean.into_os_string();
    let end = if path.ends_with("/.") || path == "." {
        "/."
    } else if path.ends_with('/') {
        "/"
    } else {
        ""
    };
    if text == "/" {
        text.push(end.trim_start_matches('/'));
    } else {
        text.push(end);
    }
    text.into()
}

/// Where a link leads to, as a text: for the user to read, and to be resolved once more when it is used.
fn target(root: &RootDir, path: &Path) -> Result<PathBuf> {
    let mut left: Vec<OsString> = path.iter().rev().map(OsStr::to_owned).collect();
    let mut done = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = left.pop() {
        match part.as_bytes() {
            b"/" => done = "/".into(),
            b"." | b"" => {}
            b".." => drop(done.pop()),
            _ => {
                done.push(&part);
                let Ok(stat) = root.stat_nofollow(&done) else {
                    continue;
                };
                if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                    continue;
                }
                links += 1;
                if links > MAX_LINKS {
                    let text = format!("{}: too many levels of symbolic links", path.display());
                    return Err(Error::invalid(text));
                }
                let text = root.read_link(&done)?;
                done.pop();
                let parts: Vec<OsString> = Path::new(&text).iter().map(OsStr::to_owned).collect();
                left.extend(parts.into_iter().rev());
            }
        }
    }
    Ok(done)
}

/// What is at a path.
pub(super) fn stat(inner: &Inner, asked: &Asked) -> Result<PathStat> {
    files::with_root(inner, &asked.row, View::Everything, |root| asked.stat(root))
}

/// Writes the tar of what is at a path: names begin with the last part of it.
pub(super) fn get(inner: &Inner, asked: &Asked, out: &mut (dyn Write + Send)) -> Result<()> {
    files::with_root(inner, &asked.row, View::Everything, |root| {
        let (parent, name) = asked.place(root)?;
        let shown = asked.name();
        let mut walk = Walk::of(&parent, name.as_bytes(), &shown, Bounds::AllMounts)?;
        let mut tar = TarWriter::new(out);
        write_walk(&mut walk, &mut tar)?;
        tar.finish()?;
        Ok(())
    })?;
    let path = String::from_utf8_lossy(asked.path.as_os_str().as_bytes()).into_owned();
    inner.record(Happened::to_container(&asked.row, "archive-path").with("path", path));
    Ok(())
}

/// Unpacks a tar in the directory at a path.
pub(super) fn put(
    inner: &Inner,
    asked: &Asked,
    request: PutRequest,
    input: impl Read + Send,
) -> Result<()> {
    let stored = Stored::parse(&asked.row.id, &asked.row.config)?;
    files::with_root(inner, &asked.row, View::Everything, |root| {
        let there = root.open_path(&asked.path).map_err(|e| asked.failed(e))?;
        if !is_directory(&there)? {
            return Err(Error::invalid(format!(
                "extraction point is not a directory: {}",
                asked.path.display()
            )));
        }
        let owners = match stored.config.user.as_str() {
            user if request.own && !user.is_empty() => {
                let (uid, gid) = owner(root, user)?;
                Owners::All(uid, gid)
            }
            _ => Owners::Kept,
        };
        let how = Extraction {
            owners,
            conflicts: if request.keep_kinds {
                Conflicts::Refuse
            } else {
                Conflicts::Replace
            },
            rename: None,
        };
        match store::extract(root, &asked.path, input, &how) {
            Err(error) if error.kind == store::Kind::ReadOnly => {
                let what = if stored.host.readonly_rootfs {
                    "container rootfs is marked read-only"
                } else {
                    "mounted volume is marked read-only"
                };
                Err(Error::new(Kind::Forbidden, what))
            }
            other => Ok(other.map(drop)?),
        }
    })?;
    let path = String::from_utf8_lossy(asked.path.as_os_str().as_bytes()).into_owned();
    inner.record(Happened::to_container(&asked.row, "extract-to-dir").with("path", path));
    Ok(())
}

fn is_directory(fd: impl AsFd) -> Result<bool> {
    let stat =
        rustix::fs::fstat(fd).map_err(|e| Error::internal("stat", std::io::Error::from(e)))?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// `user[:group]`, names or numbers, as the container knows them; a user's group is that of its line.
fn owner(root: &RootDir, text: &str) -> Result<(u32, u32)> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let found = line(root, "etc/passwd", user, 2);
    let number = |fields: &Option<Vec<String>>, index: usize| -> Option<u32> {
        fields.as_ref()?.get(index)?.parse().ok()
    };
    let uid = number(&found, 2)
        .or_else(|| user.parse().ok())
        .ok_or_else(|| {
            Error::invalid(format!(
                "unable to find user {user}: no matching entries in passwd file"
            ))
        })?;
    let gid = match group {
        None => number(&found, 3).unwrap_or(0),
        Some(group) => number(&line(root, "etc/group", group, 2), 2)
            .or_else(|| group.parse().ok())
            .ok_or_else(|| {
                Error::invalid(format!(
                    "unable to find group {group}: no matching entries in group file"
                ))
            })?,
    };
    Ok((uid, gid))
}

/// The line of a name or, in the field `id`, a number.
fn line(root: &RootDir, file: &str, name: &str, id: usize) -> Option<Vec<String>> {
    let bytes = root.read_limited(file, MAX_ACCOUNTS).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines()
        .map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>())
        .find(|fields| {
            fields.first().is_some_and(|f| f == name) || fields.get(id).is_some_and(|f| f == name)
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn paths_begin_at_the_root_and_keep_their_ends() {
        for (given, wanted, name) in [
            ("a/b", "/a/b", "b"),
            ("/a//b/../c/", "/a/c/", "c"),
            ("/a/.", "/a/.", "."),
            ("../../etc", "/etc", "etc"),
            ("/", "/", "/"),
            (".", "/.", "."),
            ("/..", "/", "/"),
        ] {
            let path = absolute(given);
            assert_eq!(path.as_os_str(), OsStr::new(wanted), "{given}");
            let bytes = path.as_os_str().as_bytes().to_vec();
            let shown = if bytes.ends_with(b"/.") {
                b".".to_vec()
            } else {
                path.file_name()
                    .map_or_else(|| b"/".to_vec(), |n| n.to_owned().into_vec())
            };
            assert_eq!(shown, name.as_bytes(), "{given}");
        }
    }
}
