//! Records as files: a key is a path.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{blocking, make, names, settle, there};
use crate::error::{Error, Kind, Result};
use crate::server::storage::{Answer, Existing, Records};

/// Where files are before they have their name.
const DRAFTS: &str = ".drafts";
/// How often a folder may vanish under a new file: whoever removes the last one in it removes it too.
const PATIENCE: usize = 100;

/// Records below a directory.
#[derive(Debug)]
pub struct RecordFiles {
    root: PathBuf,
}

impl RecordFiles {
    /// Those below this directory, which is made if it is not there.
    ///
    /// # Errors
    /// It can't be made.
    pub fn new(root: PathBuf) -> Result<Self> {
        make(&root.join(DRAFTS))?;
        Ok(Self { root })
    }

    /// Keys are made of checked words; this is the last door before the file system.
    fn path(&self, key: &str) -> Result<PathBuf> {
        let plain = |word: &str| !word.is_empty() && !word.starts_with('.') && !word.contains('\0');
        if key.split('/').all(plain) {
            Ok(self.root.join(key))
        } else {
            Err(Error::new(Kind::Invalid, "use", key, "it is no key"))
        }
    }
}

impl Records for RecordFiles {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        let path = self.path(key);
        Box::pin(blocking(move || {
            let path = path?;
            let bytes = match fs::read(&path) {
                // A word of it is a file: nothing is below that.
                Err(e) if e.kind() == io::ErrorKind::NotADirectory => None,
                other => {
                    there(other).map_err(|e| Error::system("read record", path.display(), e))?
                }
            };
            Ok(bytes.map(Bytes::from))
        }))
    }

    fn put<'a>(&'a self, key: &'a str, value: Bytes, existing: Existing) -> Answer<'a, bool> {
        let path = self.path(key);
        let drafts = self.root.join(DRAFTS);
        Box::pin(blocking(move || write(&drafts, &path?, &value, existing)))
    }

    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, bool> {
        let path = self.path(key);
        let root = self.root.clone();
        Box::pin(blocking(move || {
            let path = path?;
            let failed = |e| Error::system("remove record", path.display(), e);
            if there(fs::remove_file(&path)).map_err(failed)?.is_none() {
                return Ok(false);
            }
            let mut folder = path.parent();
            while let Some(empty) = folder.filter(|f| *f != root) {
                // Not empty, or somebody was as fast: what is above stays either way.
                if fs::remove_dir(empty).is_err() {
                    break;
                }
                folder = empty.parent();
            }
            if let Some(left) = folder {
                // A folder that has vanished since has been settled by whoever removed it.
                there(fs::File::open(left).and_then(|f| f.sync_all())).map_err(failed)?;
            }
            Ok(true)
        }))
    }

    fn names<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        most: usize,
    ) -> Answer<'a, Vec<String>> {
        let path = self.path(folder);
        let after = after.to_owned();
        Box::pin(blocking(move || {
            let mut names = names(&path?)?;
            names.retain(|name| *name > after);
            names.sort_unstable();
            names.truncate(most);
            Ok(names)
        }))
    }
}

fn write(drafts: &Path, path: &Path, value: &[u8], existing: Existing) -> Result<bool> {
    let failed = |e| Error::system("write record", path.display(), e);
    if existing == Existing::Keep && path.exists() {
        return Ok(false);
    }
    let draft = drafts.join(format!(".{}", crate::server::random_id()?));
    let mut options = OpenOptions::new();
    let written = options.write(true).create_new(true).open(&draft);
    let placed = written
        .and_then(|mut file| {
            file.write_all(value)?;
            file.sync_all()
        })
        .map_err(failed)
        .and_then(|()| place(&draft, path, existing));
    if !matches!(placed, Ok(true)) || existing == Existing::Keep {
        // Not renamed: it goes. If that fails as well, a later sweep finds it by its place.
        drop(fs::remove_file(&draft));
    }
    placed
}

/// Gives a draft its name; whether it has it now.
fn place(draft: &Path, path: &Path, existing: Existing) -> Result<bool> {
    let failed = |e| Error::system("write record", path.display(), e);
    let folder = path.parent().unwrap_or(path);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for _ in 0..PATIENCE {
        make(folder)?;
        let placed = match existing {
            Existing::Replace => fs::rename(draft, path),
            Existing::Keep => fs::hard_link(draft, path),
        };
        match placed {
            Ok(()) => match settle(folder) {
                Err(_) if !folder.exists() => continue,
                settled => return settled.map(|()| true),
            },
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(e) if e.kind() == io::ErrorKind::NotFound => last = e,
            Err(e) => return Err(failed(e)),
        }
    }
    Err(failed(last))
}
