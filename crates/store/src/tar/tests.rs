#![allow(clippy::disallowed_methods, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::archive::{self, Archive};
use crate::{Kind as ErrorKind, Limits};

fn read(bytes: &[u8]) -> crate::Result<Vec<(Entry, Vec<u8>)>> {
    let mut reader = Reader::new(bytes, &Limits::default());
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut data = Vec::new();
        loop {
            let bytes = reader.data()?;
            if bytes.is_empty() {
                break;
            }
            data.extend_from_slice(bytes);
            let count = bytes.len();
            reader.consume(count);
        }
        entries.push((entry, data));
    }
    assert_eq!(reader.finish()?, bytes.len() as u64);
    Ok(entries)
}

fn text(error: &crate::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        write!(text, ": {cause}").unwrap();
        source = cause.source();
    }
    text
}

fn refused(bytes: &[u8]) -> String {
    text(&read(bytes).unwrap_err())
}

fn paths(bytes: &[u8]) -> Vec<String> {
    let entries = read(bytes).unwrap();
    entries
        .iter()
        .map(|(entry, _)| String::from_utf8_lossy(&entry.path).into_owned())
        .collect()
}

fn corpus() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data/tar");
    let mut files = Vec::new();
    for directory in fs::read_dir(&root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_dir())
    {
        files.extend(fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()));
    }
    files.sort();
    files
        .into_iter()
        .map(|path| {
            (
                path.strip_prefix(&root).unwrap().display().to_string(),
                path,
            )
        })
        .collect()
}

fn describe(bytes: &[u8]) -> String {
    let entries = match read(bytes) {
        Ok(entries) => entries,
        Err(error) => return format!("  refused: {}\n", text(&error)),
    };
    let mut out = String::new();
    for (entry, data) in entries {
        let Entry {
            path,
            kind,
            mode,
            uid,
            gid,
            mtime,
            size,
            sparse,
            xattrs,
        } = entry;
        let path = String::from_utf8_lossy(&path);
        let kind = match kind {
            Kind::Symlink(target) => format!("symlink to {:?}", String::from_utf8_lossy(&target)),
            Kind::HardLink(target) => format!("link to {:?}", String::from_utf8_lossy(&target)),
            other => format!("{other:?}").to_lowercase(),
        };
        let crc = crc32fast::hash(&data);
        write!(
            out,
            "  {path:?} {kind} {mode:o} {uid}:{gid} {}.{} {size} {crc:08x}",
            mtime.seconds, mtime.nanos
        )
        .unwrap();
        if let Some(map) = sparse {
            write!(out, " sparse {}", map.len()).unwrap();
        }
        for (name, value) in xattrs {
            write!(out, " {}={}", String::from_utf8_lossy(&name), value.len()).unwrap();
        }
        out.push('\n');
    }
    out
}

/// What we make of every file of the corpus, reviewed once.
#[test]
fn corpus_reads_as_before() {
    let mut got = String::new();
    for (name, path) in corpus() {
        writeln!(got, "{name}").unwrap();
        let mut lines = describe(&fs::read(path).unwrap());
        if lines.len() > 4000 {
            let crc = crc32fast::hash(lines.as_bytes());
            lines = format!("  {} entries {crc:08x}\n", lines.lines().count());
        }
        got.push_str(&lines);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data/tar/expected.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &got).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    for (got, wanted) in got.lines().zip(wanted.lines()) {
        assert_eq!(got, wanted);
    }
    assert_eq!(got.len(), wanted.len());
}

/// Files that GNU tar accepts too, but reads otherwise, and why we don't follow it.
const OTHERWISE: &[&str] = &[
    // Docker, which is Go, ignores global headers.
    "go/pax-global-records.tar",
    "hostile/pax-global-path.tar",
    // Go and libarchive say that a symlink has no data, whatever its size.
    "hostile/desync-symlink-with-size.tar",
    // A newline in a name, which this comparison can't see.
    "hostile/name-newline-esc.tar",
];

#[test]
fn names_are_those_of_gnu_tar() {
    if Command::new("tar").arg("--version").output().is_err() {
        return;
    }
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (name, path) in corpus() {
        let Ok(entries) = read(&fs::read(&path).unwrap()) else {
            continue;
        };
        let gnu = Command::new("tar")
            .args(["-tPf"])
            .arg(&path)
            .arg("--quoting-style=literal")
            .output()
            .unwrap();
        if !gnu.status.success() || OTHERWISE.contains(&name.as_str()) {
            continue;
        }
        let trimmed = |path: &str| path.trim_end_matches('/').to_owned();
        let ours: Vec<String> = entries
            .iter()
            .map(|(entry, _)| trimmed(&String::from_utf8_lossy(&entry.path)))
            .collect();
        let theirs = String::from_utf8_lossy(&gnu.stdout).into_owned();
        let theirs: Vec<String> = theirs.split_terminator('\n').map(trimmed).collect();
        compared += 1;
        if ours != theirs {
            wrong.push(format!("{name}: {ours:?} {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 50, "{compared}");
}

#[test]
fn pax_wins() {
    let tar = Archive::new()
        .pax("path", "real")
        .pax("mtime", "-1.5")
        .pax("uid", "7")
        .pax("size", "3")
        .raw(archive::header(b'0', "other", "", 0o644, 512), b"abc")
        .file("after", "x")
        .end();
    let entries = read(&tar).unwrap();
    assert_eq!(
        (
            entries[0].0.path.as_slice(),
            entries[0].1.as_slice(),
            entries[0].0.uid
        ),
        (&b"real"[..], &b"abc"[..], 7)
    );
    assert_eq!(
        entries[0].0.mtime,
        Time::default(),
        "Docker has no times before 1970"
    );
    assert_eq!(entries[1].0.path, b"after");
}

#[test]
fn long_names_of_gnu() {
    let long = format!("{}/file", "d".repeat(200));
    let name = format!("{long}\0");
    let tar = Archive::new()
        .entry(b'L', "././@LongLink", "", 0, name.as_bytes())
        .entry(b'K', "././@LongLink", "", 0, b"target\0")
        .entry(b'2', "short", "short", 0o777, b"")
        .end();
    let (entry, _) = &read(&tar).unwrap()[0];
    assert_eq!(entry.path, long.as_bytes());
    assert_eq!(entry.kind, Kind::Symlink(b"target".to_vec()));
}

#[test]
fn numbers() {
    let with = |at: usize, field: &[u8]| {
        let mut header = archive::header(b'0', "f", "", 0o644, 0);
        header[at..at + field.len()].copy_from_slice(field);
        Archive::new().raw(header, b"").end()
    };
    assert_eq!(
        read(&with(108, b"\x80\0\0\0\xff\xff\xff\xfe")).unwrap()[0]
            .0
            .uid,
        u32::MAX - 1
    );
    assert!(
        refused(&with(108, b"\x80\0\0\0\xff\xff\xff\xff")).contains("the owner is out of range")
    );
    assert!(
        refused(&with(108, b"\xff\xff\xff\xff\xff\xff\xff\xff"))
            .contains("the owner is out of range")
    );
    assert_eq!(read(&with(108, b"  17 \0\0\0")).unwrap()[0].0.uid, 15);
    assert_eq!(read(&with(108, b"\0\0\0\0\0\0\0\0")).unwrap()[0].0.uid, 0);
    assert!(refused(&with(108, b"0000008\0")).contains("the owner is no number"));
    assert!(
        refused(&with(
            124,
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
        ))
        .contains("the size is negative")
    );
}

#[test]
fn the_end() {
    assert_eq!(paths(&[]), [""; 0]);
    assert_eq!(paths(&[0; 1024]), [""; 0]);
    assert_eq!(paths(&Archive::new().file("a", "x").unended()), ["a"]);
    let garbage = [Archive::new().file("a", "x").end(), b"garbage".to_vec()].concat();
    assert_eq!(paths(&garbage), ["a"]);
    let lone = [
        Archive::new().file("a", "x").unended(),
        vec![0; 512],
        Archive::new().file("b", "y").end(),
    ]
    .concat();
    assert!(refused(&lone).contains("a lone block of zeros"));
    let cut = Archive::new().file("a", "xyz").end();
    assert!(refused(&cut[..514]).contains("truncated"));
    assert!(refused(&cut[..300]).contains("truncated"));
    let dangling = Archive::new()
        .pax("path", "x")
        .entry(b'L', "", "", 0, b"name")
        .end();
    assert!(refused(&dangling).contains("truncated"));
}

#[test]
fn refusals() {
    let tar = Archive::new().file("a", "x").end();
    for at in [0, 120, 156, 300] {
        let mut tar = tar.clone();
        tar[at] ^= 1;
        assert!(refused(&tar).contains("checksum"));
    }
    let unknown = Archive::new().entry(b'Q', "q", "", 0, b"").end();
    assert_eq!(
        refused(&unknown),
        r#"read tar entry "q": unknown type of entry"#
    );
    let long = Archive::new()
        .pax("path", "x/".repeat(2049))
        .file("a", "")
        .end();
    assert_eq!(read(&long).unwrap_err().kind, ErrorKind::Limit);
    let empty = Archive::new().symlink("l", "").end();
    assert!(refused(&empty).contains("its link is empty"));
    let mut many = Archive::new();
    for n in 0..65 {
        many = many.xattr(&format!("user.{n}"), "");
    }
    assert_eq!(
        read(&many.file("a", "").end()).unwrap_err().kind,
        ErrorKind::Limit
    );
}

#[test]
fn limits() {
    let limits = Limits {
        entries: 1,
        ..Limits::default()
    };
    let tar = Archive::new().file("a", "").file("b", "").end();
    let mut reader = Reader::new(&tar[..], &limits);
    reader.next_entry().unwrap();
    assert_eq!(reader.next_entry().unwrap_err().kind, ErrorKind::Limit);
}

#[test]
fn attributes_in_both_spellings() {
    let tar = Archive::new()
        .pax("LIBARCHIVE.xattr.user.a%20b", "aGVsbG8=")
        .pax("SCHILY.xattr.user.c", [0, 255])
        .file("f", "")
        .end();
    let (entry, _) = &read(&tar).unwrap()[0];
    assert_eq!(
        entry.xattrs,
        [
            (b"user.a b".to_vec(), b"hello".to_vec()),
            (b"user.c".to_vec(), vec![0, 255])
        ]
    );
    let bad = Archive::new()
        .pax("LIBARCHIVE.xattr.user.a", "!")
        .file("f", "")
        .end();
    assert!(refused(&bad).contains("malformed"));
}

/// All four kinds of sparse files that GNU tar writes, read back.
#[test]
fn sparse_files_of_gnu_tar() {
    if Command::new("tar").arg("--version").output().is_err() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("holes");
    let file = fs::File::create(&path).unwrap();
    for n in 0..60_u64 {
        std::os::unix::fs::FileExt::write_all_at(&file, b"data", n * 1_000_000).unwrap();
    }
    file.set_len(70_000_000).unwrap();
    for version in [
        "--format=gnu",
        "--sparse-version=0.0",
        "--sparse-version=0.1",
        "--sparse-version=1.0",
    ] {
        let format = if version.starts_with("--sparse") {
            "--format=pax"
        } else {
            "--format=gnu"
        };
        let output = Command::new("tar")
            .args(["-cS", "-f", "-", format, version, "-C"])
            .arg(directory.path())
            .arg("holes")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let (entry, data) = &read(&output.stdout).unwrap()[0];
        assert_eq!(
            (entry.path.as_slice(), entry.size),
            (&b"holes"[..], 70_000_000),
            "{version}"
        );
        let map = entry.sparse.as_ref().unwrap();
        assert_eq!(map.len(), 60, "{version}");
        assert_eq!(map.iter().map(|s| s.length).sum::<u64>(), data.len() as u64);
        assert_eq!(map[59].offset / 4096, 59_000_000 / 4096);
    }
}

proptest! {
    #[test]
    fn nothing_panics(blocks in proptest::collection::vec(any::<u8>(), 0..2048)) {
        drop(read(&blocks));
    }

    /// Any header with a right checksum, and anything behind it.
    #[test]
    fn no_header_panics(at in 0_usize..500, field in proptest::collection::vec(any::<u8>(), 1..12), flag in prop::sample::select(b"0123456xgLKS\0".to_vec()), content in proptest::collection::vec(any::<u8>(), 0..1024)) {
        let mut header = archive::header(flag, "name", "link", 0o644, content.len() as u64);
        header[at..at + field.len()].copy_from_slice(&field);
        drop(read(&Archive::new().raw(header, &content).end()));
    }

    #[test]
    fn no_record_panics(records in "([0-9]{1,3} (path|size|mtime|uid|GNU.sparse.(map|major|size|offset|numbytes)|SCHILY.xattr.a)=[0-9,.a]{0,6}\n){0,4}") {
        let tar = Archive::new().entry(b'x', "x", "", 0, records.as_bytes()).file("f", "content").end();
        drop(read(&tar));
    }
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let name = proptest::collection::vec(1_u8..=255, 1..120);
    let kind = prop_oneof![
        Just(Kind::File),
        Just(Kind::Directory),
        proptest::collection::vec(1_u8..=255, 1..150).prop_map(Kind::Symlink),
        (0_u32..4096, 0_u32..1 << 20).prop_map(|(a, b)| Kind::Character(a, b)),
        Just(Kind::Fifo),
    ];
    let xattrs = proptest::collection::btree_map(
        proptest::collection::vec(1_u8..=255, 1..20),
        proptest::collection::vec(any::<u8>(), 0..40),
        0..3,
    );
    let time = (0_i64..1 << 33, 0_u32..1_000_000_000);
    (
        name,
        kind,
        0_u16..0o10000,
        0..u32::MAX,
        0..u32::MAX,
        time,
        xattrs,
        0_u64..1200,
    )
        .prop_map(
            |(name, kind, mode, uid, gid, (seconds, nanos), xattrs, size)| {
                let mut path: Vec<u8> = name;
                path.retain(|&b| b != b'/');
                path.push(b'x');
                if kind == Kind::Directory {
                    path.push(b'/');
                }
                Entry {
                    path,
                    mode,
                    uid,
                    gid,
                    mtime: Time { seconds, nanos },
                    size: if kind == Kind::File { size } else { 0 },
                    sparse: None,
                    xattrs: xattrs.into_iter().collect(),
                    kind,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read(list in proptest::collection::vec(any_entry(), 0..6)) {
        let mut writer = TarWriter::new(Vec::new());
        for entry in &list {
            let data = vec![7; usize::try_from(entry.size).unwrap()];
            writer.entry(entry, &mut &data[..]).unwrap();
        }
        let (bytes, size) = writer.finish().unwrap();
        prop_assert_eq!(size, bytes.len() as u64);
        let got = read(&bytes).unwrap();
        prop_assert_eq!(got.len(), list.len());
        for ((entry, data), wanted) in got.into_iter().zip(list) {
            prop_assert_eq!(data.len() as u64, wanted.size);
            prop_assert_eq!(entry, wanted);
        }
    }
}

#[test]
fn sparse_files_are_written_as_gnu_tar_reads_them() {
    let entry = Entry {
        size: 10_000_000,
        mode: 0o644,
        sparse: Some(vec![
            Segment {
                offset: 4096,
                length: 512,
            },
            Segment {
                offset: 9_999_999,
                length: 1,
            },
        ]),
        ..Entry::mark(b"dir/sparse".to_vec())
    };
    let mut writer = TarWriter::new(Vec::new());
    let data = [b"hello".as_slice(), &[0; 507], b"x"].concat();
    writer.entry(&entry, &mut &data[..]).unwrap();
    let (bytes, _) = writer.finish().unwrap();
    assert_eq!(read(&bytes).unwrap(), [(entry, data)]);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.tar"), &bytes).unwrap();
    let status = Command::new("tar")
        .args(["-xf", "a.tar"])
        .current_dir(directory.path())
        .status()
        .unwrap();
    assert!(status.success());
    let content = fs::read(directory.path().join("dir/sparse")).unwrap();
    assert_eq!(content.len(), 10_000_000);
    assert_eq!(&content[4096..4101], b"hello");
    assert_eq!(content[9_999_999], b'x');
}

#[test]
fn data_that_end_early_are_filled() {
    let entry = Entry {
        size: 1000,
        ..Entry::mark(b"f".to_vec())
    };
    let mut writer = TarWriter::new(Vec::new());
    writer.entry(&entry, &mut &b"ab"[..]).unwrap();
    let (bytes, _) = writer.finish().unwrap();
    let data = &read(&bytes).unwrap()[0].1;
    assert_eq!((data.len(), &data[..3]), (1000, &b"ab\0"[..]));
}
