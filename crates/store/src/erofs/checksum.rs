//! The checksum of a whole image, which the database keeps. EROFS itself checks its superblock only.
//!
//! Each MiB has a CRC-32, and the SHA-256 digest of those is the checksum. MiBs of zeros are left out, so that holes cost
//! nothing, whether they are holes on disk or not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;
use spec::Hasher;

/// Size of a part with a checksum of its own.
pub(super) const PART: u64 = 1 << 20;

/// Checksums of the parts that are known.
#[derive(Debug, Default)]
pub(crate) struct Checksum {
    parts: BTreeMap<u64, Option<u32>>,
}

impl Checksum {
    /// Notes that `bytes` were written at `offset`. What does not cover a whole part is read again at the end.
    pub(super) fn wrote(&mut self, offset: u64, bytes: &[u8]) {
        if offset.is_multiple_of(PART) && bytes.len() as u64 == PART {
            self.parts
                .insert(offset / PART, Some(crc32fast::hash(bytes)));
            return;
        }
        let last = (offset + bytes.len() as u64).saturating_sub(1) / PART;
        for part in offset / PART..=last {
            self.parts.insert(part, None);
        }
    }

    /// The checksum of the file, whose parts not noted are holes.
    pub(super) fn finish(self, file: &File, len: u64) -> io::Result<String> {
        let mut hasher = Hasher::sha256();
        hasher.update(&len.to_le_bytes());
        let mut buffer = vec![0; 1 << 20];
        for (part, crc) in self.parts {
            let start = part * PART;
            let size = usize::try_from(len.saturating_sub(start).min(PART)).unwrap_or(0);
            let crc = match crc {
                Some(crc) => crc,
                None => {
                    file.read_exact_at(&mut buffer[..size], start)?;
                    crc32fast::hash(&buffer[..size])
                }
            };
            // CRC-32 begins with ones, so zeros have a value of their own; a wrong match costs a part its protection only.
            if size > 0 && crc != zeros(size) {
                hasher.update(&part.to_le_bytes());
                hasher.update(&crc.to_le_bytes());
            }
        }
        Ok(format!("crc32-1m:{}", hasher.finish().hex()))
    }

    /// The checksum of a file that lies there.
    pub(crate) fn of_file(file: &File) -> io::Result<String> {
        let len = file.metadata()?.len();
        let mut checksum = Self::default();
        let mut at = 0;
        while at < len {
            let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
                Ok(start) => start,
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            let end = rustix::fs::seek(file, SeekFrom::Hole(start))?;
            for part in start / PART..=end.saturating_sub(1) / PART {
                checksum.parts.insert(part, None);
            }
            at = end;
        }
        checksum.finish(file, len)
    }
}

fn zeros(size: usize) -> u32 {
    static WHOLE: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let hash = |size| crc32fast::hash(&vec![0; size]);
    if size as u64 == PART {
        *WHOLE.get_or_init(|| hash(size))
    } else {
        hash(size)
    }
}
