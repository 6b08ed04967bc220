//! Images into one archive, which is docker's and an OCI layout at the same time, as docker writes it since version 25.
//!
//! First a plan of what the archive has, then its bytes. The same images always make the same archive. An image that came with a manifest
//! leaves with it and with the blobs that it names, byte for byte; any other gets one that names plain tars.

mod plan;

use std::io::Write;

use spec::{BlobDigest, ImageId, LayerId, Platform};
use state::ObjectLock;
use store::{Entry, EntryKind, Store, TarWriter};

use crate::error::{Error, Result};
use crate::open::Inner;

pub(super) use plan::plan;

/// What an archive has, in the order of its names.
#[derive(Debug)]
pub(super) struct Plan {
    /// The images.
    images: Vec<ImageId>,
    /// The files, by name, and what is in each.
    files: Vec<(String, Part)>,
    /// Keeps everything that is named from being collected.
    _content: ObjectLock,
}

/// The content of one file.
#[derive(Debug)]
enum Part {
    /// A document.
    Bytes(Vec<u8>),
    /// A blob as it came, with its size.
    Blob(BlobDigest, u64),
    /// The tar of a layer, with its size.
    Tar(LayerId, u64),
}

impl Plan {
    /// The images.
    pub(super) fn images(&self) -> &[ImageId] {
        &self.images
    }
}

impl Part {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob(_, size) | Self::Tar(_, size) => *size,
        }
    }
}

/// Which images to save, and for which machine they must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaveRequest {
    /// Names and ids. A name without a tag means all its tags.
    pub names: Vec<String>,
    /// The platform that the images must have.
    pub platform: Option<Platform>,
}

/// Writes the archive.
pub(super) fn write(inner: &Inner, plan: &Plan, out: &mut dyn Write) -> Result<()> {
    let store = inner.store()?;
    let mut tar = TarWriter::new(out);
    let mut directories = vec![String::new()];
    for (name, part) in &plan.files {
        let ends = name.match_indices('/').map(|(at, _)| at + 1);
        for directory in ends.map(|end| &name[..end]) {
            if !directories.iter().any(|made| made == directory) {
                let entry = Entry {
                    kind: EntryKind::Directory,
                    mode: 0o755,
                    ..Entry::mark(directory.into())
                };
                tar.entry(&entry, &mut std::io::empty())?;
                directories.push(directory.to_owned());
            }
        }
        let entry = Entry {
            mode: 0o644,
            size: part.size(),
            ..Entry::mark(name.clone().into_bytes())
        };
        tar.file(&entry, |out| content(store, part, out))?;
    }
    tar.finish()?;
    Ok(())
}

fn content(store: &Store, part: &Part, out: &mut dyn Write) -> std::io::Result<()> {
    match part {
        Part::Bytes(bytes) => out.write_all(bytes),
        Part::Blob(digest, _) => Ok(store.copy_blob(digest, out)?),
        Part::Tar(layer, _) => {
            store.write_layer_tar(layer, out)?;
            Ok(())
        }
    }
}

/// An image that is not for the platform that was asked for.
fn other_platform(name: &str, platform: &Platform) -> Error {
    Error::not_found(format!(
        "image with reference {name} was found but does not provide the specified platform ({platform})"
    ))
}
