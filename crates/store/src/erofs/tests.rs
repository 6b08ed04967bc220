use std::collections::BTreeMap;

use proptest::prelude::*;

use super::format::{
    BLOCK, DirEntry, FileType, Form, Superblock, block_zero, directory, directory_len, xattrs_body,
    xattrs_len,
};
use super::layout::{Layout, names};
use super::writer::{Extent, Writer};
use super::*;
use crate::layer::tree::{Content, Directory, Meta, ROOT, Tree, Xattrs};
use crate::tar::{Segment, Time};

struct Bytes(Vec<u8>, usize);

impl Source for Bytes {
    fn fill(&mut self) -> crate::Result<&[u8]> {
        // Odd pieces, as a tar gives them.
        let end = self.0.len().min(self.1 + 1000);
        Ok(&self.0[self.1..end])
    }

    fn consume(&mut self, count: usize) {
        self.1 += count;
    }
}

fn writer() -> Writer {
    Writer::new(tempfile::tempfile().unwrap(), Box::new(tempfile::tempfile))
}

const META: Meta = Meta {
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: Time {
        seconds: 5,
        nanos: 0,
    },
};

#[test]
fn superblock() {
    let time = Time {
        seconds: 7,
        nanos: 8,
    };
    let block = block_zero(&Superblock {
        root: 1,
        inodes: 2,
        time,
        blocks: 3,
        meta: 4,
        chunked: true,
    });
    assert_eq!(block.len(), 4096);
    assert_eq!(block[1024..1028], 0xe0f5_e1e2_u32.to_le_bytes());
    assert_eq!(block[1024 + 14..1024 + 16], [1, 0]);
    assert_eq!(block[1024 + 40..1024 + 44], [4, 0, 0, 0]);
    assert_eq!(block[1024 + 80..1024 + 84], [4, 0, 0, 0]);
}

#[test]
fn where_data_go() {
    let mut writer = writer();
    let mut store = |size: usize, xattrs: &Xattrs| {
        let mut source = Bytes(vec![1; size], 0);
        let extent = writer
            .store(size as u64, None, xattrs, &mut source)
            .unwrap();
        assert_eq!((source.1, extent.size()), (size, size as u64));
        extent
    };
    let none = Xattrs::new();
    assert!(matches!(store(0, &none), Extent::Blocks { size: 0, .. }));
    assert!(matches!(
        store(10, &none),
        Extent::Tail {
            block: 1,
            spooled: 0,
            ..
        }
    ));
    assert!(matches!(
        store(4096, &none),
        Extent::Blocks { block: 1, .. }
    ));
    assert!(matches!(
        store(4096 + 2048, &none),
        Extent::Tail {
            block: 2,
            spooled: 10,
            ..
        }
    ));
    assert!(matches!(
        store(2049, &none),
        Extent::Blocks { block: 3, .. }
    ));
    let xattrs = vec![(b"user.a".to_vec(), vec![0; 2000])];
    assert!(matches!(
        store(100, &xattrs),
        Extent::Blocks { block: 4, .. }
    ));
    assert!(matches!(store(1, &none), Extent::Tail { block: 5, .. }));
}

#[test]
fn chunks() {
    let mut writer = writer();
    let map = [
        Segment {
            offset: 1 << 40,
            length: 5000,
        },
        Segment {
            offset: (1 << 50) - 10,
            length: 10,
        },
    ];
    let extent = writer
        .store(
            1 << 50,
            Some(&map),
            &Xattrs::new(),
            &mut Bytes(vec![1; 5010], 0),
        )
        .unwrap();
    let Extent::Chunks { bits, map, .. } = extent else {
        panic!("{extent:?}")
    };
    assert_eq!((bits, map.len()), (36, 1 << 14));
    assert_eq!(map.iter().filter(|&&block| block != u32::MAX).count(), 2);
    // Many far apart would reserve too much: smaller chunks.
    let far: Vec<Segment> = (0..1000)
        .map(|n| Segment {
            offset: n << 40,
            length: 1,
        })
        .collect();
    let extent = writer
        .store(
            1 << 50,
            Some(&far),
            &Xattrs::new(),
            &mut Bytes(vec![1; 1000], 0),
        )
        .unwrap();
    assert!(
        matches!(extent, Extent::Chunks { bits: 30, .. }),
        "{extent:?}"
    );
}

#[test]
fn checksum_is_that_of_the_file() {
    let mut writer = writer();
    let mut tree = Tree::new();
    for (name, size) in [("a", 3 << 20), ("b", 100), ("c", 5_000_000)] {
        let extent = writer
            .store(
                size as u64,
                None,
                &Xattrs::new(),
                &mut Bytes(vec![7; size], 0),
            )
            .unwrap();
        tree.insert(
            ROOT,
            name.as_bytes(),
            META,
            Xattrs::new(),
            Content::File(extent),
        );
    }
    let map = [Segment {
        offset: 9 << 30,
        length: 3,
    }];
    let hole = writer
        .store(
            10 << 30,
            Some(&map),
            &Xattrs::new(),
            &mut Bytes(vec![1; 3], 0),
        )
        .unwrap();
    tree.insert(ROOT, b"hole", META, Xattrs::new(), Content::File(hole));
    let finished = writer.finish(&tree).unwrap();
    assert_eq!(finished.file.metadata().unwrap().len(), finished.len);
    assert_eq!(
        Checksum::of_file(&finished.file).unwrap(),
        finished.checksum
    );
    std::os::unix::fs::FileExt::write_all_at(&finished.file, b"x", finished.len - 1).unwrap();
    assert_ne!(
        Checksum::of_file(&finished.file).unwrap(),
        finished.checksum
    );
}

/// More ends of files than are kept in memory.
#[test]
fn spool_spills() {
    let mut spool = spool::Spool::new();
    let piece = |n: u32| n.to_le_bytes().repeat(512);
    for n in 0..20_000 {
        spool.push(&piece(n), tempfile::tempfile).unwrap();
    }
    for n in [0, 1, 8191, 8192, 19_999] {
        let mut out = vec![0; 2048];
        spool.read(u64::from(n) * 2048, &mut out).unwrap();
        assert_eq!(out, piece(n));
    }
}

#[test]
fn dots_are_sorted_in() {
    let children = ["!", "-", ".a", "..a", "a", ".-"]
        .iter()
        .map(|name| (name.as_bytes().to_vec(), 1))
        .collect();
    let directory = Directory {
        children,
        parent: ROOT,
        name: Vec::new(),
        opaque: false,
    };
    let got: Vec<&[u8]> = names(&directory).collect();
    assert_eq!(
        got,
        [&b"!"[..], b"-", b".", b".-", b"..", b"..a", b".a", b"a"]
    );
}

proptest! {
    #[test]
    fn directories(lens in proptest::collection::vec(1_usize..256, 0..300)) {
        let longest = vec![b'n'; 256];
        let entries: Vec<DirEntry<'_>> = lens.iter().map(|&len| DirEntry { name: &longest[..len], inode: 1, kind: FileType::Fifo }).collect();
        let content = directory(&entries);
        prop_assert_eq!(content.len() as u64, directory_len(lens.iter().copied()));
        let mut found = 0;
        for block in content.chunks(4096) {
            let first = usize::from(u16::from_le_bytes([block[8], block[9]]));
            prop_assert_eq!(first % 12, 0);
            found += first / 12;
        }
        prop_assert_eq!(found, lens.len());
    }

    #[test]
    fn attributes(lens in proptest::collection::vec((1_usize..200, 0_usize..3000), 0..10)) {
        let xattrs: Xattrs = lens.iter().map(|&(name, value)| ([b"user.".as_slice(), &vec![b'n'; name]].concat(), vec![1; value])).collect();
        prop_assert_eq!(xattrs_body(&xattrs).len() as u64, xattrs_len(&xattrs));
    }

    /// No two inodes overlap, and inline data are in one block.
    #[test]
    fn inodes_are_apart(sizes in proptest::collection::vec((0_u64..5000, 0_usize..3000), 1..200)) {
        let mut tree = Tree::new();
        for (n, &(size, xattr)) in sizes.iter().enumerate() {
            let xattrs = if xattr % 3 == 0 { vec![(b"user.a".to_vec(), vec![0; xattr])] } else { Vec::new() };
            let content = match size % 3 {
                0 => Content::Symlink(vec![b'x'; usize::try_from(size.clamp(1, 4095)).unwrap()]),
                1 if size % 4096 + xattrs_len(&xattrs) <= 2048 => Content::File(Extent::Tail { block: 1, size, spooled: 0 }),
                1 => Content::File(Extent::Blocks { block: 1, size }),
                _ => Content::Directory(Directory { children: BTreeMap::new(), parent: ROOT, name: Vec::new(), opaque: size % 2 == 0 }),
            };
            tree.insert(ROOT, format!("{n:0>80}").as_bytes(), META, xattrs, content);
        }
        let layout = Layout::new(&tree, 10);
        let mut end = 32;
        for (id, place) in layout.in_order() {
            prop_assert!(place.offset >= end && place.offset % 32 == 0);
            let head = place.offset + place.form.len() + place.inode.xattrs as u64;
            let behind = match place.inode.layout {
                super::format::DataLayout::Inline => place.inode.size % BLOCK,
                _ => 0,
            };
            end = head + behind;
            if behind > 0 {
                prop_assert_eq!(head / BLOCK, (end - 1) / BLOCK, "node {}", id);
            }
        }
        prop_assert!(matches!(layout.place(ROOT).unwrap().form, Form::Compact | Form::Extended));
        prop_assert!(layout.place(ROOT).unwrap().number() < 1 << 16);
    }
}
