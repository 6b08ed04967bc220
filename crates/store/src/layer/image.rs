//! Layers as EROFS images.

use std::path::Path;

use super::canonical::Content;
use super::tree::Tree;
use super::{FileData, Sink, Written};
use crate::draft::{Draft, Existing, scratch};
use crate::erofs::{Extent, Source, Writer};
use crate::error::Result;

/// Writes `<name>.erofs`.
pub(crate) struct ImageSink {
    writer: Writer,
    draft: Draft,
}

impl ImageSink {
    pub(crate) fn create(layers: &Path) -> Result<Self> {
        let (file, draft) = Draft::create(layers)?;
        let layers = layers.to_owned();
        Ok(Self {
            writer: Writer::new(file, Box::new(move || scratch(&layers))),
            draft,
        })
    }
}

impl Sink for ImageSink {
    type Data = Extent;

    const FORMAT: &'static str = "erofs";

    fn store(&mut self, file: &FileData<'_>, source: &mut dyn Source) -> Result<Extent> {
        self.writer
            .store(file.size, file.sparse, file.xattrs, source)
    }

    fn content<'a>(&'a self, data: &'a Extent) -> Result<Box<dyn Content + 'a>> {
        Ok(Box::new(self.writer.stored(data)))
    }

    fn publish(self, tree: &Tree<Extent>, name: &str) -> Result<Written> {
        let finished = self.writer.finish(tree)?;
        self.draft
            .publish(&finished.file, &file_name(name), Existing::Replace)?;
        Ok(Written {
            size: finished.len,
            checksum: finished.checksum,
        })
    }
}

/// The name of a layer's image.
pub(crate) fn file_name(layer: &str) -> String {
    format!("{layer}.erofs")
}
