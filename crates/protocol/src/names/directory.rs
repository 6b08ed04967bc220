//! The names of one network.

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, openat, readlinkat, renameat, symlinkat, unlinkat};
use rustix::io::Errno;

use super::entry::{self, Owner};
use crate::error::{Error, Result};
use crate::exit::read_limited;

/// The longest text of a symbolic link: a page less its end.
const LONGEST_LINK: usize = 4095;
/// The longest text of a file: names of a network are at most so many as there are ends in it.
const LONGEST_FILE: usize = 16 * 1024 * 1024;
/// What is being made has a name that no container's name and no address begins with.
const TEMPORARY: &str = "~";

/// The names of one network: readers see each entry old or new. There may be one writer at a time.
#[derive(Debug)]
pub struct Directory(OwnedFd);

impl Directory {
    /// Opens the directory at `path` below `base`.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn open(base: impl AsFd, path: &str) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(base, path, flags, Mode::empty()) {
            Ok(fd) => Ok(Self(fd)),
            Err(e) => Err(Error::io("open", path, e)),
        }
    }

    /// Who has the name, in lower case.
    ///
    /// # Errors
    /// The entry can't be read.
    pub fn owners(&self, name: &str) -> Result<Vec<Owner>> {
        if !is_entry(name) {
            return Ok(Vec::new());
        }
        Ok(self
            .read(name)?
            .map_or_else(Vec::new, |text| entry::parse(&text)))
    }

    /// The name of an address.
    ///
    /// # Errors
    /// The entry can't be read.
    pub fn name_of(&self, address: IpAddr) -> Result<Option<String>> {
        self.read(&pointer(address))
    }

    /// Gives `owner` each of `names`, which are in lower case, and its addresses the first of them. Done twice, it is as done once.
    ///
    /// # Errors
    /// An entry can't be written; those before it are.
    pub fn give(&self, owner: &Owner, names: &[String]) -> Result<()> {
        for name in names.iter().filter(|name| is_entry(name)) {
            let mut owners = self.owners(name)?;
            match owners.iter_mut().find(|other| other.id == owner.id) {
                Some(same) if same == owner => continue,
                Some(same) => *same = owner.clone(),
                None => owners.push(owner.clone()),
            }
            self.write(name, &entry::format(&owners))?;
        }
        if let Some(name) = names.first() {
            for address in owner.addresses() {
                self.write(&pointer(address), name)?;
            }
        }
        Ok(())
    }

    /// Takes each of `names` away from `owner`, and its addresses' name.
    ///
    /// # Errors
    /// An entry can't be written; those before it are.
    pub fn take(&self, owner: &Owner, names: &[String]) -> Result<()> {
        for name in names.iter().filter(|name| is_entry(name)) {
            let mut owners = self.owners(name)?;
            let before = owners.len();
            owners.retain(|other| other.id != owner.id);
            if owners.is_empty() {
                self.remove(name)?;
            } else if owners.len() < before {
                self.write(name, &entry::format(&owners))?;
            }
        }
        for address in owner.addresses() {
            let entry = pointer(address);
            // The address may be another's by now.
            if names.first().is_some_and(|name| {
                self.read(&entry)
                    .is_ok_and(|text| text.as_ref() == Some(name))
            }) {
                self.remove(&entry)?;
            }
        }
        Ok(())
    }

    fn read(&self, entry: &str) -> Result<Option<String>> {
        let bytes = match readlinkat(&self.0, entry, Vec::new()) {
            Ok(text) => text.into_bytes(),
            Err(Errno::NOENT | Errno::NAMETOOLONG) => return Ok(None),
            Err(Errno::INVAL) => return self.read_file(entry),
            Err(e) => return Err(Error::io("read name", entry, e)),
        };
        Ok(String::from_utf8(bytes).ok())
    }

    fn read_file(&self, entry: &str) -> Result<Option<String>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match openat(&self.0, entry, flags, Mode::empty()) {
            Ok(file) => file,
            // A link again, or gone: it was replaced just now.
            Err(Errno::LOOP | Errno::NOENT) => return self.read_link(entry),
            Err(e) => return Err(Error::io("open name", entry, e)),
        };
        let bytes = read_limited(&file, entry, LONGEST_FILE)?;
        Ok(String::from_utf8(bytes).ok())
    }

    fn read_link(&self, entry: &str) -> Result<Option<String>> {
        match readlinkat(&self.0, entry, Vec::new()) {
            Ok(text) => Ok(text.into_string().ok()),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(Error::io("read name", entry, e)),
        }
    }

    fn write(&self, entry: &str, text: &str) -> Result<()> {
        if text.len() > LONGEST_LINK {
            return replace(self.0.as_fd(), entry, text.as_bytes());
        }
        let temporary = format!("{TEMPORARY}{entry}");
        let made = match symlinkat(text, &self.0, &temporary) {
            // Of a writer that was killed.
            Err(Errno::EXIST) => unlinkat(&self.0, &temporary, AtFlags::empty())
                .and_then(|()| symlinkat(text, &self.0, &temporary)),
            other => other,
        };
        made.and_then(|()| renameat(&self.0, &temporary, &self.0, entry))
            .map_err(|e| Error::io("write name", entry, e))
    }

    fn remove(&self, entry: &str) -> Result<()> {
        match unlinkat(&self.0, entry, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(Error::io("remove name", entry, e)),
        }
    }
}

/// Replaces a file that need not outlive the host's next start.
pub(super) fn replace(directory: BorrowedFd<'_>, name: &str, bytes: &[u8]) -> Result<()> {
    let temporary = format!("{TEMPORARY}{name}");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let write = || {
        // Of a writer that was killed; it may be a link.
        let _gone = unlinkat(directory, &temporary, AtFlags::empty());
        let file = openat(
            directory,
            &temporary,
            flags | OFlags::NOFOLLOW,
            Mode::RUSR | Mode::WUSR,
        )?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = rustix::io::write(&file, rest)?;
            rest = &rest[written..];
        }
        renameat(directory, &temporary, directory, name)
    };
    write().map_err(|e| Error::io("write", name, e))
}

/// Whether it can be a name's entry: a file name that is no address's and nothing that is being made.
fn is_entry(name: &str) -> bool {
    let first = name.chars().next();
    name.len() <= 253
        && !matches!(first, None | Some('@' | '~'))
        && !matches!(name, "." | "..")
        && !name.contains(['/', '\0'])
}

fn pointer(address: IpAddr) -> String {
    format!("@{address}")
}
