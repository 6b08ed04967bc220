//! A file system being configured: fsopen(2), fsconfig(2), fsmount(2) (Linux 5.2).

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_flag,
    fsconfig_set_path, fsconfig_set_string, fsmount, fsopen,
};

use super::{Attr, Mount};
use crate::error::At;
use crate::{Error, Result};

/// A file system being configured. The first option that the kernel refuses is told by [`FsContext::create`].
#[derive(Debug)]
pub struct FsContext {
    fd: OwnedFd,
    kind: String,
    failed: Option<Error>,
}

impl FsContext {
    /// Begins a file system of `kind`: `overlay`, `tmpfs`, `proc`, `erofs`.
    ///
    /// # Errors
    /// `ENODEV` if the kernel has no such file system, or no right.
    pub fn new(kind: &str) -> Result<Self> {
        let fd = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).at("open file system", kind)?;
        Ok(Self {
            fd,
            kind: kind.to_owned(),
            failed: None,
        })
    }

    /// An option without a value.
    #[must_use]
    pub fn flag(self, key: &str) -> Self {
        self.option(key, |fd| fsconfig_set_flag(fd, key))
    }

    /// An option with a text of at most 255 bytes, which is the kernel's limit.
    #[must_use]
    pub fn string(self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.option(key, |fd| fsconfig_set_string(fd, key, value.as_ref()))
    }

    /// An option with a path of the host's own.
    #[must_use]
    pub fn path(self, key: &str, value: impl AsRef<Path>) -> Self {
        self.option(key, |fd| fsconfig_set_path(fd, key, value.as_ref(), CWD))
    }

    /// An option with a descriptor.
    #[must_use]
    pub fn fd(self, key: &str, value: BorrowedFd<'_>) -> Self {
        self.option(key, |fd| fsconfig_set_fd(fd, key, value))
    }

    /// Makes the file system.
    ///
    /// # Errors
    /// An option or the whole was refused; the error's subject has what the file system itself wrote about it.
    pub fn create(self) -> Result<FileSystem> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let Err(error) = fsconfig_create(&self.fd) {
            return Err(self.error("create file system", &self.kind, error));
        }
        Ok(FileSystem(self))
    }

    /// Whether the kernel took all options so far.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.failed.is_none()
    }

    fn option(
        mut self,
        key: &str,
        set: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<()>,
    ) -> Self {
        if self.failed.is_none()
            && let Err(error) = set(self.fd.as_fd())
        {
            self.failed = Some(self.error(
                "configure file system",
                &format!("{} {key}", self.kind),
                error,
            ));
        }
        self
    }

    fn error(&self, op: &'static str, subject: &str, error: Errno) -> Error {
        let log = self.log();
        if log.is_empty() {
            Error::new(op, subject, error)
        } else {
            Error::new(op, format!("{subject} ({log})"), error)
        }
    }

    /// What the kernel wrote to the context: one message a read, `e `, `w ` or `i ` before it.
    fn log(&self) -> String {
        let mut messages = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(got) = rustix::io::read(&self.fd, &mut buffer)
            && got > 0
        {
            let text = String::from_utf8_lossy(&buffer[..got]);
            let text = text.trim_end();
            let text = text
                .strip_prefix(['e', 'w', 'i'])
                .map_or(text, str::trim_start);
            messages.push(text.to_owned());
        }
        messages.join("; ")
    }
}

impl AsFd for FsContext {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A file system that exists and is mounted nowhere yet.
#[derive(Debug)]
pub struct FileSystem(FsContext);

impl FileSystem {
    /// A detached mount of it.
    ///
    /// # Errors
    /// No right, or as `EINVAL` an attribute that the kernel does not know.
    pub fn mount(self, attr: Attr) -> Result<Mount> {
        match fsmount(&self.0.fd, FsMountFlags::FSMOUNT_CLOEXEC, attr) {
            Ok(fd) => Ok(Mount::from_fd(fd)),
            Err(error) => Err(self.0.error("mount file system", &self.0.kind, error)),
        }
    }
}
