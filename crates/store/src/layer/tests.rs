use std::collections::BTreeMap;

use proptest::prelude::*;

use super::lower::{Found, FoundKind, Lower, Nothing};
use super::receive::receive;
use super::resolve::resolve;
use super::tree::{Content, Meta, NodeId, ROOT, Tree};
use super::*;
use crate::archive::Archive;
use crate::erofs::take;
use crate::tar::Time;
use crate::{Error, Kind, Limits};

/// Keeps data as text.
struct Texts;

impl Sink for Texts {
    type Data = String;
    const FORMAT: &'static str = "text";

    fn store(&mut self, file: &FileData<'_>, source: &mut dyn Source) -> Result<String> {
        let stored = file
            .sparse
            .map_or(file.size, |map| map.iter().map(|s| s.length).sum());
        let mut bytes = Vec::new();
        take(stored, source, |some| {
            bytes.extend_from_slice(some);
            Ok(())
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn content<'a>(&'a self, data: &'a String) -> Result<Box<dyn canonical::Content + 'a>> {
        Ok(Box::new(Text(data)))
    }

    fn publish(self, _tree: &Tree<String>, _name: &str) -> Result<Written> {
        Ok(Written {
            size: 0,
            checksum: String::new(),
        })
    }
}

struct Text<'a>(&'a str);

impl canonical::Content for Text<'_> {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(&self.0.as_bytes()[start..start + buffer.len()]);
        Ok(())
    }

    fn data_from(&self, offset: u64) -> std::io::Result<Option<u64>> {
        Ok(Some(offset))
    }
}

/// Layers below: path, and `/`, `> target` or content.
struct Fake(BTreeMap<&'static str, &'static str>);

impl Lower<String> for Fake {
    fn lookup(&mut self, path: &[u8]) -> Result<Option<Found>> {
        let path = std::str::from_utf8(path).unwrap();
        let mut parent = path;
        while let Some((above, _)) = parent.rsplit_once('/') {
            if self.0.get(above) != Some(&"/") {
                return Ok(None);
            }
            parent = above;
        }
        let meta = Meta {
            mode: 0o711,
            uid: 5,
            gid: 6,
            mtime: Time {
                seconds: 7,
                nanos: 8,
            },
        };
        Ok(self.0.get(path).map(|what| {
            let kind = match what.strip_prefix("> ") {
                Some(target) => FoundKind::Symlink(target.into()),
                None if *what == "/" => FoundKind::Directory,
                None => FoundKind::File,
            };
            Found {
                meta,
                xattrs: vec![(b"user.a".to_vec(), b"b".to_vec())],
                kind,
            }
        }))
    }

    fn names(&mut self) -> Result<Vec<Vec<u8>>> {
        Ok(self
            .0
            .keys()
            .filter(|path| !path.contains('/'))
            .map(|path| path.as_bytes().to_vec())
            .collect())
    }

    fn copy(&mut self, path: &[u8], _xattrs: &Xattrs) -> Result<String> {
        Ok(self.0[std::str::from_utf8(path).unwrap()].to_owned())
    }
}

fn lines(tree: &Tree<String>, id: NodeId, prefix: &str, out: &mut Vec<String>) {
    for (name, &child) in &tree.directory(id).unwrap().children {
        let path = format!("{prefix}{}", String::from_utf8_lossy(name));
        let node = tree.node(child);
        let text = match &node.content {
            Content::Directory(directory) => format!(
                "{path}/{} {:o}",
                if directory.opaque { "!" } else { "" },
                node.meta.mode
            ),
            Content::File(data) => format!("{path} {data}"),
            Content::Symlink(target) => format!("{path} > {}", String::from_utf8_lossy(target)),
            Content::Whiteout => format!("{path} gone"),
            other => format!("{path} {other:?}"),
        };
        out.push(if node.names > 1 {
            format!("{text} x{}", node.names)
        } else {
            text
        });
        if tree.directory(child).is_some() {
            lines(tree, child, &format!("{path}/"), out);
        }
    }
}

/// The tree as lines, and whether the layers below were asked.
fn tree(archive: Archive, lower: &mut dyn Lower<String>) -> (Vec<String>, bool) {
    let received = receive(&archive.end()[..], &Limits::default(), &mut Texts).unwrap();
    let resolved = resolve(received.entries, lower).unwrap();
    let mut out = Vec::new();
    lines(&resolved.tree, ROOT, "", &mut out);
    (out, resolved.asked)
}

fn alone(archive: Archive) -> Vec<String> {
    tree(archive, &mut Nothing).0
}

fn refused(archive: Archive) -> String {
    let received = receive(&archive.end()[..], &Limits::default(), &mut Texts).unwrap();
    let error: Error =
        resolve(received.entries, &mut Nothing as &mut dyn Lower<String>).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    std::error::Error::source(&error).unwrap().to_string()
}

#[test]
fn later_entries_replace_earlier_ones() {
    let archive = Archive::new()
        .dir("d/", 0o700)
        .file("d/f", "old")
        .file("d/f", "new")
        .dir("d/", 0o711)
        .file("x", "")
        .symlink("x", "d");
    assert_eq!(alone(archive), ["d/ 711", "d/f new", "x > d"]);
    // A directory that replaces something is not the one below.
    let archive = Archive::new()
        .dir("a/", 0o755)
        .file("a/b", "")
        .file("a", "file")
        .dir("a/", 0o700);
    assert_eq!(alone(archive), ["a/! 700"]);
}

#[test]
fn links() {
    let archive = Archive::new()
        .file("a", "data")
        .hard_link("b", "/a")
        .hard_link("c", "./d/../b")
        .hard_link("a", "a");
    assert_eq!(alone(archive), ["a data x3", "b data x3", "c data x3"]);
    let archive = Archive::new()
        .file("a", "data")
        .hard_link("b", "a")
        .file("a", "other");
    assert_eq!(alone(archive), ["a other", "b data"]);
    assert_eq!(
        refused(Archive::new().hard_link("b", "a").file("a", "")),
        "it links to a file that does not exist"
    );
    assert_eq!(
        refused(Archive::new().dir("a", 0).hard_link("b", "a")),
        "it links to a directory"
    );
    assert_eq!(
        refused(Archive::new().hard_link("b", "/")),
        "it links to the root directory"
    );
    assert_eq!(
        refused(Archive::new().file(".wh.a", "").hard_link("b", "a")),
        "it links to a file that does not exist"
    );
}

#[test]
fn paths_stay_inside() {
    let archive = Archive::new()
        .file("../../a", "1")
        .file("/b", "2")
        .file("x/../c", "3");
    assert_eq!(alone(archive), ["a 1", "b 2", "c 3"]);
    let archive = Archive::new()
        .symlink("out", "../../../etc")
        .file("out/passwd", "1")
        .symlink("abs", "/etc")
        .file("abs/group", "2");
    assert_eq!(
        alone(archive),
        [
            "abs > /etc",
            "etc/ 755",
            "etc/group 2",
            "etc/passwd 1",
            "out > ../../../etc"
        ]
    );
    assert_eq!(
        refused(
            Archive::new()
                .symlink("a", "b")
                .symlink("b", "a")
                .file("a/x", "")
        ),
        "too many symbolic links in its path"
    );
    assert_eq!(
        refused(Archive::new().file("a", "").file("a/x", "")),
        "its parent is not a directory"
    );
    assert_eq!(
        refused(Archive::new().fifo("a").file("a/x", "")),
        "its parent is not a directory"
    );
    assert_eq!(
        refused(Archive::new().symlink("./", "etc")),
        "it would replace the root directory"
    );
}

#[test]
fn whiteouts() {
    let archive = Archive::new()
        .file(".wh.a", "")
        .file("a", "new")
        .file(".wh.b", "")
        .dir("b/", 0o755);
    assert_eq!(alone(archive), ["a new", "b/! 755"]);
    // They hide what is below, never what is in the same layer.
    let archive = Archive::new()
        .file("a", "new")
        .dir("b/", 0o755)
        .file("b/c", "")
        .file(".wh.a", "")
        .file(".wh.b", "");
    assert_eq!(alone(archive), ["a new", "b/! 755", "b/c "]);
    let archive = Archive::new()
        .file("d/.wh..wh..opq", "")
        .file("d/e/.wh.f", "")
        .file(".wh.g", "")
        .file("g/h", "");
    assert_eq!(alone(archive), ["d/! 755", "d/e/ 755", "g/! 755", "g/h "]);
    let archive = Archive::new()
        .file(".wh..wh.aufs", "")
        .file(".wh..wh.plnk/1", "")
        .file("a", "");
    assert_eq!(alone(archive), ["a "]);
    for bad in [".wh.", ".wh..", ".wh...", "a/.wh..", ".wh.x/y"] {
        assert!(
            refused(Archive::new().file(bad, "")).contains("whiteout"),
            "{bad}"
        );
    }
}

#[test]
fn what_is_below() {
    let mut lower = Fake(BTreeMap::from([
        ("usr", "/"),
        ("usr/bin", "/"),
        ("bin", "> usr/bin"),
        ("usr/bin/sh", "dash"),
        ("usr/link", "> /usr/bin/sh"),
        ("file", "f"),
        ("loop", "> loop"),
    ]));
    // Explicit parents ask for nothing.
    let (lines, asked) = tree(
        Archive::new()
            .dir("usr/", 0o755)
            .file("usr/x", "")
            .file(".wh.file", ""),
        &mut lower,
    );
    assert_eq!((lines.len(), asked), (3, false));
    let (lines, asked) = tree(Archive::new().file("bin/ls", "ls"), &mut lower);
    assert_eq!(lines, ["usr/ 711", "usr/bin/ 711", "usr/bin/ls ls"]);
    assert!(asked);
    let (lines, _) = tree(
        Archive::new()
            .hard_link("sh", "bin/sh")
            .hard_link("link", "usr/link"),
        &mut lower,
    );
    assert_eq!(
        lines,
        [
            "link > /usr/bin/sh x2",
            "sh dash x2",
            "usr/ 711",
            "usr/bin/ 711",
            "usr/bin/sh dash x2",
            "usr/link > /usr/bin/sh x2"
        ]
    );
    // What this layer hides is not followed.
    let (lines, _) = tree(
        Archive::new().file(".wh.bin", "").file("bin/ls", "ls"),
        &mut lower,
    );
    assert_eq!(lines, ["bin/! 755", "bin/ls ls"]);
    let (lines, _) = tree(
        Archive::new().dir("bin/", 0o700).file("bin/ls", "ls"),
        &mut lower,
    );
    assert_eq!(lines, ["bin/ 700", "bin/ls ls"]);
    // All of the root is hidden name by name.
    let (lines, _) = tree(
        Archive::new().file("usr/a", "").file(".wh..wh..opq", ""),
        &mut lower,
    );
    assert_eq!(
        lines,
        ["bin gone", "file gone", "loop gone", "usr/! 711", "usr/a "]
    );
    let received = receive(
        &Archive::new().file("loop/x", "").end()[..],
        &Limits::default(),
        &mut Texts,
    )
    .unwrap();
    assert_eq!(
        resolve(received.entries, &mut lower).unwrap_err().kind,
        Kind::Invalid
    );
}

#[test]
fn attributes() {
    let archive = Archive::new()
        .xattr("trusted.overlay.redirect", "/etc")
        .xattr("user.overlay.opaque", "y")
        .xattr("security.selinux", "x")
        .xattr(
            "security.capability",
            [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        )
        .xattr("system.posix_acl_access", "bad")
        .xattr("user.a", "1")
        .file("f", "")
        .xattr("user.a", "1")
        .xattr("trusted.a", "1")
        .symlink("l", "f");
    let received = receive(&archive.end()[..], &Limits::default(), &mut Texts).unwrap();
    let tree = resolve(received.entries, &mut Nothing as &mut dyn Lower<String>)
        .unwrap()
        .tree;
    let names = |name: &[u8]| {
        let node = tree.node(tree.child(ROOT, name).unwrap());
        node.xattrs
            .iter()
            .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(b"f"), ["security.capability", "user.a"]);
    assert_eq!(names(b"l"), ["trusted.a"]);
}

proptest! {
    /// Whatever the entries say, every node that has a name is reached from the root, as often as it counts.
    #[test]
    fn trees_are_sound(entries in proptest::collection::vec(("(\\.\\./|/)?[ab](/[abc.]{1,2}){0,3}", 0_u8..7, "/?[ab.]{1,2}(/[abc]){0,2}"), 0..30)) {
        let mut archive = Archive::new();
        for (path, kind, target) in entries {
            archive = match kind {
                0 | 1 => archive.file(&path, "x"),
                2 => archive.dir(&path, 0o755),
                3 => archive.symlink(&path, &target),
                4 => archive.hard_link(&path, &target),
                5 => archive.file(&path.replacen('a', ".wh.a", 1), ""),
                _ => archive.file(&format!("{path}/.wh..wh..opq"), ""),
            };
        }
        let received = receive(&archive.end()[..], &Limits::default(), &mut Texts).unwrap();
        let mut lower = Fake(BTreeMap::from([("a", "/"), ("a/b", "> ../b"), ("b", "/"), ("b/c", "c")]));
        if let Ok(resolved) = resolve(received.entries, &mut lower) {
            let tree = resolved.tree;
            let mut seen = vec![0_u32; tree.len()];
            seen[ROOT as usize] = 1;
            let mut left = vec![ROOT];
            while let Some(id) = left.pop() {
                for &child in tree.directory(id).unwrap().children.values() {
                    seen[child as usize] += 1;
                    if tree.directory(child).is_some() {
                        prop_assert_eq!(tree.directory(child).unwrap().parent, id);
                        left.push(child);
                    }
                }
            }
            for (id, node) in tree.nodes() {
                prop_assert_eq!(seen[id as usize], node.names);
            }
        }
    }
}

/// A tree as its canonical tar, and that as a tree again: the same.
#[test]
fn the_canonical_tar_says_what_the_tree_is() {
    let tar = Archive::new()
        .dir("b/", 0o700)
        .file("b/z", "z")
        .file("a", "1")
        .hard_link("b/a", "a")
        .symlink("b/l", "../a")
        .fifo("c/implicit/fifo")
        .device("d", 5, 1)
        .xattr("user.x", "y")
        .file("e", "")
        .dir("o/", 0o755)
        .file("o/.wh..wh..opq", "")
        .end();
    let written = |bytes: &[u8]| {
        let mut sink = Texts;
        let received = receive(bytes, &Limits::default(), &mut sink).unwrap();
        let tree = resolve(received.entries, &mut Nothing).unwrap().tree;
        canonical::write_tree(&tree, &sink, Vec::new()).unwrap()
    };
    let (first, size) = written(&tar);
    assert_eq!(size, first.len() as u64);
    assert_eq!(written(&first).0, first);
    let mut reader = crate::tar::Reader::new(&first[..], &Limits::default());
    let mut paths = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        paths.push(String::from_utf8(entry.path).unwrap());
    }
    assert_eq!(
        paths,
        [
            "a",
            "b/",
            "b/a",
            "b/l",
            "b/z",
            "c/",
            "c/implicit/",
            "c/implicit/fifo",
            "d",
            "e",
            "o/",
            "o/.wh..wh..opq"
        ]
    );
}
