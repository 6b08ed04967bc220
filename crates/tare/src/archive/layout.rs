//! Directories of OCI layouts.

use crate::archive::{Made, fed, limits, made};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use store::{Bounds, Entry, EntryKind, TarReader, TarWriter, Walk};
use tokio::io::AsyncRead;

/// The tar of a layout's directory.
pub(crate) fn read(path: &str) -> Result<Made> {
    let shown = path.to_owned();
    let directory = File::open(path).map_err(|why| Error::io("open", path, why))?;
    if !Path::new(path).join("oci-layout").exists() && !Path::new(path).join("index.json").exists()
    {
        return Err(
            Error::local(format!("{path} is no OCI layout: it has no index.json"))
                .with_hint("'tare import' makes an image of a tar of a root file system"),
        );
    }
    made(move |writer| {
        let failed = |why: store::Error| Error::local(format!("read {shown}")).because(why);
        let mut tar = TarWriter::new(writer);
        let mut walk = Walk::merged(&directory, b"", Bounds::AllMounts).map_err(failed)?;
        while let Some(mut walked) = walk.next_entry().map_err(failed)? {
            walked.entry.sparse = None;
            match walked.file {
                Some(mut file) => tar.entry(&walked.entry, &mut file),
                None => tar.entry(&walked.entry, &mut std::io::empty()),
            }
            .map_err(failed)?;
        }
        tar.finish().map(drop).map_err(failed)
    })
}

/// Makes a layout of an archive: a new directory, an empty one, or one that is a layout, which gets the blobs and loses its index.
pub(crate) async fn write(path: &str, archive: impl AsyncRead + Unpin) -> Result<()> {
    let root = path.to_owned();
    let top = Path::new(path);
    let empty = top
        .read_dir()
        .map_or(true, |mut entries| entries.next().is_none());
    if !empty && !top.join("oci-layout").exists() {
        return Err(Error::local(format!(
            "{path} is neither empty nor an OCI layout"
        )));
    }
    fed(archive, move |input| {
        let mut tar = TarReader::new(input, &limits());
        let bad = |why: store::Error| Error::local("read the archive").because(why);
        while let Some(entry) = tar.next_entry().map_err(bad)? {
            one(Path::new(&root), &entry, &mut tar)?;
        }
        Ok(())
    })
    .await
}

/// Puts one entry into its place: only names that layouts have are taken.
fn one(root: &Path, entry: &Entry, data: &mut impl Read) -> Result<()> {
    let name = std::str::from_utf8(&entry.path).unwrap_or("?");
    let file = entry.kind == EntryKind::File;
    let known = match name.split('/').collect::<Vec<_>>()[..] {
        ["blobs", ""] => !file,
        ["blobs", algorithm, ""] => !file && is_word(algorithm),
        ["blobs", algorithm, hex] => file && is_word(algorithm) && is_word(hex),
        ["index.json" | "manifest.json" | "oci-layout" | "repositories"] => file,
        _ => false,
    };
    if !known {
        return Err(Error::local(format!(
            "the engine sent something that is no part of an OCI layout: {name:?}"
        )));
    }
    let place = root.join(name);
    let failed = |why| Error::io("write", place.display(), why);
    if !file {
        return std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&place)
            .map_err(failed);
    }
    // Beside it first: a file has its name only when it is whole.
    let draft = root.join(format!(".{}.part", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            .open(&draft)?;
        std::io::copy(data, &mut file)?;
        file.flush()?;
        std::fs::rename(&draft, &place)
    })();
    if written.is_err() {
        drop(std::fs::remove_file(&draft));
    }
    written.map_err(failed)
}

/// Letters and digits alone: a digest's or an algorithm's.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}
