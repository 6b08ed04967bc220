//! A container's own files as a tar, and what of them is not the image's.

use std::io::{self, Write};

use state::ContainerRow;
use store::{Bounds, Change, FileData, TarWriter, Walk};

use super::files::{self, View};
use super::lookup;
use crate::error::Result;
use crate::open::Inner;

/// What the engine puts into a container's files for its mounts: told of in no list of changes and kept in no image, as docker keeps it in a
/// layer between.
pub(super) const PLACES: [&str; 7] = [
    "dev",
    "dev/console",
    "etc/hostname",
    "etc/hosts",
    "etc/resolv.conf",
    "proc",
    "sys",
];

/// Writes all files of a container, without what is mounted in it.
pub(super) fn write(inner: &Inner, row: &ContainerRow, out: &mut (dyn Write + Send)) -> Result<()> {
    files::with_root(inner, row, View::Own, |root| {
        let mut tar = TarWriter::new(out);
        let mut walk = Walk::merged(root, b"", Bounds::OneMount)?;
        write_walk(&mut walk, &mut tar)?;
        tar.finish()?;
        Ok(())
    })
}

/// Writes what a walk finds.
pub(super) fn write_walk<W: Write>(walk: &mut Walk, tar: &mut TarWriter<W>) -> Result<()> {
    while let Some(walked) = walk.next_entry()? {
        match walked.file {
            Some(file) => {
                let mut data = FileData::new(&walked.entry, file);
                tar.entry(&walked.entry, &mut data)?;
            }
            None => tar.entry(&walked.entry, &mut io::empty())?,
        }
    }
    Ok(())
}

/// What was changed, added and deleted since the container was made.
pub(super) fn changes(inner: &Inner, name: &str) -> Result<Vec<Change>> {
    let row = lookup::find(inner, name)?;
    let layers = inner.db.read(|tx| tx.container_layers(&row.id))?;
    let store = inner.store()?;
    let snapshot = store.snapshot(&row.id, &layers).without(&PLACES);
    if !snapshot.exists() {
        // It was never started.
        return Ok(Vec::new());
    }
    Ok(store.changes(&snapshot)?)
}
