//! Random trees, packed by GNU tar: what we mount is what GNU tar extracts.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]

mod archive;
mod place;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use place::Place;
use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use store::Format;

/// xorshift: the same trees every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::try_from(self.below(values.len() as u64)).unwrap()]
    }

    fn name(&mut self) -> OsString {
        let len = self.one_of(&[1, 2, 3, 8, 20, 60, 120, 255]);
        let bytes = (0..len)
            .map(|_| self.one_of(b"abcXYZ019-_.!~ @\xc3\xa9\xff\x01"))
            .collect::<Vec<u8>>();
        if matches!(bytes[..], [b'.'] | [b'.', b'.']) || bytes.starts_with(b".wh.") {
            "dots".into()
        } else {
            OsString::from_vec(bytes)
        }
    }
}

fn grow(random: &mut Random, root: &Path) {
    let mut directories = vec![root.to_owned()];
    let mut files: Vec<PathBuf> = Vec::new();
    for _ in 0..300 {
        let path = random
            .one_of(&directories.iter().collect::<Vec<_>>())
            .join(random.name());
        if path.as_os_str().len() > 3000 || path.symlink_metadata().is_ok() {
            continue;
        }
        match random.below(12) {
            0..=2 => {
                fs::create_dir(&path).unwrap();
                directories.push(path.clone());
            }
            3 => symlink(
                OsString::from_vec(vec![b'x'; usize::try_from(1 + random.below(4000)).unwrap()]),
                &path,
            )
            .unwrap(),
            4 if !files.is_empty() => {
                fs::hard_link(random.one_of(&files.iter().collect::<Vec<_>>()), &path).unwrap()
            }
            5 => rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap(),
            6 => {
                let kind = random.one_of(&[FileType::CharacterDevice, FileType::BlockDevice]);
                let device = rustix::fs::makedev(
                    u32::try_from(1 + random.below(4000)).unwrap(),
                    u32::try_from(random.below(1 << 20)).unwrap(),
                );
                rustix::fs::mknodat(CWD, &path, kind, Mode::RUSR, device).unwrap();
            }
            7 => {
                let file = fs::File::create(&path).unwrap();
                for _ in 0..3 {
                    let at = random.below(3_000_000);
                    file.write_all_at(&[9; 5000], at).unwrap();
                }
                file.set_len(4_000_000).unwrap();
                files.push(path.clone());
            }
            _ => {
                let len = random.one_of(&[
                    0, 1, 100, 1983, 2047, 2048, 2049, 4095, 4096, 4097, 6000, 8192, 100_000,
                ]);
                let byte = u8::try_from(random.below(256)).unwrap();
                fs::write(
                    &path,
                    (0..len)
                        .map(|n: usize| byte.wrapping_add(u8::try_from(n % 251).unwrap()))
                        .collect::<Vec<_>>(),
                )
                .unwrap();
                files.push(path.clone());
            }
        }
        adorn(random, &path);
    }
    for path in directories {
        adorn(random, &path);
    }
}

fn adorn(random: &mut Random, path: &Path) {
    let meta = fs::symlink_metadata(path).unwrap();
    let owner = random.one_of(&[0, 1000, 65535, 65536, 3_000_000_000]);
    std::os::unix::fs::lchown(path, Some(owner), Some(owner)).unwrap();
    if !meta.is_symlink() {
        let mode = random.one_of(&[0o644, 0o755, 0o4755, 0o2711, 0o1777, 0o0]);
        rustix::fs::chmod(path, Mode::from_raw_mode(mode)).unwrap();
    }
    if (meta.is_file() || meta.is_dir()) && random.below(3) == 0 {
        for n in 0..random.below(4) {
            let value = vec![7; usize::try_from(random.below(300)).unwrap()];
            rustix::fs::setxattr(path, format!("user.x{n}"), &value, XattrFlags::empty()).unwrap();
        }
    }
    let nanos = random.one_of(&[0, 123_456_789]);
    let time = Timespec {
        tv_sec: random.one_of(&[0, 1_600_000_000, 1_700_000_000, 5_000_000_000]),
        tv_nsec: nanos,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Everything that can be seen of a tree.
fn seen(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut all = BTreeMap::new();
    let mut inodes: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        let mut entries: Vec<PathBuf> = fs::read_dir(&directory)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .as_os_str()
                .as_bytes()
                .to_vec();
            let meta = fs::symlink_metadata(&path).unwrap();
            let mut text = format!(
                "{:o} {}:{} {}.{} links {} rdev {}",
                meta.mode(),
                meta.uid(),
                meta.gid(),
                meta.mtime(),
                meta.mtime_nsec(),
                meta.nlink(),
                meta.rdev()
            );
            if meta.is_dir() {
                left.push(path.clone());
            } else {
                // Directories of equal content differ in size between file systems.
                text.push_str(&format!(" {} bytes", meta.len()));
            }
            if meta.nlink() > 1 && !meta.is_dir() {
                let first = inodes.entry(meta.ino()).or_insert_with(|| name.clone());
                text.push_str(&format!(" as {}", String::from_utf8_lossy(first)));
            }
            if meta.is_symlink() {
                text.push_str(&format!(" -> {}", fs::read_link(&path).unwrap().display()));
            }
            if meta.is_file() {
                text.push_str(&format!(
                    " {:?}",
                    spec::Digest::of(fs::read(&path).unwrap())
                ));
            }
            for n in 0..4 {
                if let Some(value) = place::xattr(&path, &format!("user.x{n}")) {
                    text.push_str(&format!(" user.x{n}={}", value.len()));
                }
            }
            all.insert(name, text);
        }
    }
    all
}

fn tar(arguments: &[&str], members: &[&str], directory: &Path, file: &Path) {
    let output = Command::new("tar")
        .args(arguments)
        .arg("-C")
        .arg(directory)
        .arg("-f")
        .arg(file)
        .args(members)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn random_trees() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    for (round, packing) in [
        &["-c", "--format=pax", "--xattrs"][..],
        &["-c", "--format=pax", "--xattrs", "-S"],
        &["-c", "--format=gnu", "-S"],
        &["-c", "--format=pax", "--xattrs"],
    ]
    .into_iter()
    .enumerate()
    {
        for format in [Format::Erofs, Format::Directory] {
            let place = Place::new(format);
            let (source, target, file) = (
                place.path().join("source"),
                place.path().join("target"),
                place.path().join("tar"),
            );
            fs::create_dir(&source).unwrap();
            fs::create_dir(&target).unwrap();
            grow(&mut Random(round as u64 * 7919 + 12345), &source);
            tar(packing, &["."], &source, &file);
            tar(
                &["-xp", "--same-owner", "--xattrs", "--xattrs-include=*"],
                &[],
                &target,
                &file,
            );
            let layer = place
                .store
                .unpack(fs::File::open(&file).unwrap(), &[])
                .unwrap();
            drop(place.store.view(&[layer.id]).unwrap());
            let direct = match format {
                Format::Erofs => place.run().join("layers"),
                Format::Directory => place.root().join("layers"),
            };
            let (wanted, got) = (seen(&target), seen(&direct.join(layer.id.to_string())));
            assert!(wanted.len() > 150);
            for (name, text) in &wanted {
                assert_eq!(
                    got.get(name),
                    Some(text),
                    "{}",
                    String::from_utf8_lossy(name)
                );
            }
            assert_eq!(got.len(), wanted.len());
            place.fsck(&layer.id);
            place.leave();
        }
    }
}
