//! COPY and ADD: which files go where, their digest, and the layer that they become.

mod owner;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};

use builder::graph::{Copy, Item, Origin, Unpack};
use dockerfile::Ignore;
use dockerfile::glob::Glob;
use rustix::fs::FileType;
use spec::{Digest, Hasher};
use store::{Entry, EntryKind, Layer, Time as EntryTime, Walk};

use super::schedule::Done;
use super::source::Tree;
use super::{Build, Root};
use crate::error::{Error, Result};
use owner::{Chmod, Directory};

/// What a copy comes to.
pub(super) struct Plan<'a> {
    tree: TreeRef<'a>,
    pieces: Vec<Piece>,
    owner: Option<(u32, u32)>,
    mode: Option<Chmod>,
    keep_owner: bool,
    excludes: Ignore,
    ignore: Option<&'a Ignore>,
    epoch: i64,
    /// Targets that are directories already.
    present: BTreeSet<String>,
}

enum TreeRef<'a> {
    Context(&'a Tree),
    Own(Tree),
}

impl TreeRef<'_> {
    fn get(&self) -> &Tree {
        match self {
            Self::Context(tree) => tree,
            Self::Own(tree) => tree,
        }
    }
}

/// What another step came to, as files.
fn source<'a>(build: &'a Build<'_>, from: &Done) -> Result<TreeRef<'a>> {
    let named = from.context.as_ref().and_then(|name| build.named.get(name));
    Ok(match named {
        Some(tree) => TreeRef::Context(tree),
        None => TreeRef::Own(Tree::of(&build.engine.0, &from.root.ids())?),
    })
}

/// One thing to copy: to a path below the root, without a slash at its front.
enum Piece {
    /// All that is in a directory.
    Directory { from: String, to: String },
    /// All that is in an archive, which was unpacked on its own.
    Archive { tree: Tree, to: String },
    /// One file.
    File { from: String, to: String },
    /// A file of the Dockerfile.
    Inline { content: String, to: String },
}

impl<'a> Plan<'a> {
    pub(super) fn make(
        build: &'a Build<'_>,
        copy: &Copy,
        parent: &Root,
        from: Option<&Done>,
    ) -> Result<Self> {
        let inner = &*build.engine.0;
        let (tree, ignore) = match (copy.origin, from) {
            (Origin::Input, Some(from)) => (source(build, from)?, None),
            _ => (TreeRef::Context(&build.context), Some(&build.ignore)),
        };
        let below = Tree::of(inner, &parent.ids())?;
        let mut plan = Self {
            tree,
            pieces: Vec::new(),
            owner: copy
                .chown
                .as_deref()
                .map(|text| owner::owner(text, &below))
                .transpose()?,
            mode: copy.chmod.as_deref().map(Chmod::parse).transpose()?,
            keep_owner: copy.origin == Origin::Input,
            excludes: Ignore::new(&copy.excludes).map_err(|e| Error::invalid(e.to_string()))?,
            ignore,
            epoch: build.moment(),
            present: BTreeSet::new(),
        };
        let mut paths = Vec::new();
        for item in &copy.items {
            match item {
                Item::Path(path) => paths.extend(plan.matching(path)?.into_iter().map(Ok)),
                Item::Inline { name, content } => paths.push(Err((name, content))),
                Item::Url(address) | Item::Git(address) => {
                    return Err(Error::unsupported(format!(
                        "ADD {address}: addresses are not supported yet"
                    ))
                    .hint("download it and COPY it"));
                }
            }
        }
        let target = copy.target.trim_matches('/').to_owned();
        let into = copy.target.ends_with('/')
            || paths.len() > 1
            || (!target.is_empty() && below.is_directory(&target))
            || target.is_empty();
        if !copy.link && !target.is_empty() && below.is_directory(&target) {
            plan.present.insert(target.clone());
        }
        for path in paths {
            plan.place(build, copy, path, (&target, into))?;
        }
        Ok(plan)
    }

    fn place(
        &mut self,
        build: &Build<'_>,
        copy: &Copy,
        path: std::result::Result<String, (&String, &String)>,
        (target, into): (&str, bool),
    ) -> Result<()> {
        let join = |name: &str| {
            if target.is_empty() {
                name.to_owned()
            } else {
                format!("{target}/{name}")
            }
        };
        let from = match path {
            Ok(from) => from,
            Err((name, content)) => {
                self.pieces.push(Piece::Inline {
                    content: content.clone(),
                    to: if into { join(name) } else { target.to_owned() },
                });
                return Ok(());
            }
        };
        let directory = self.tree.get().is_directory(&from);
        let name = from.rsplit('/').next().unwrap_or(&from).to_owned();
        let to = match (copy.parents, directory) {
            (true, _) => join(&from),
            (false, true) => target.to_owned(),
            (false, false) if into => join(&name),
            (false, false) => target.to_owned(),
        };
        if directory {
            self.pieces.push(Piece::Directory { from, to });
            return Ok(());
        }
        if self.excludes.excludes(&name) || self.excludes.excludes(&from) {
            return Ok(());
        }
        if copy.unpack != Unpack::Never && is_archive(self.tree.get().file(&from)?)? {
            // On its own first: no name in it leads anywhere but into it.
            let layer = build
                .engine
                .0
                .store()?
                .unpack(self.tree.get().file(&from)?, &[])?;
            self.pieces.push(Piece::Archive {
                tree: Tree::of(&build.engine.0, &[layer.id])?,
                to: target.to_owned(),
            });
            return Ok(());
        }
        self.pieces.push(Piece::File { from, to });
        Ok(())
    }

    /// The paths that a source names. None at all is a mistake.
    fn matching(&self, pattern: &str) -> Result<Vec<String>> {
        let tree = self.tree.get();
        let mut paths = vec![String::from(".")];
        for part in pattern.split('/').filter(|p| !p.is_empty() && *p != ".") {
            let mut next = Vec::new();
            for path in &paths {
                next.extend(below(tree, path, part)?);
            }
            paths = next;
        }
        let mut found = Vec::new();
        for path in paths {
            let left_out = path != "."
                && self.left_out(&path)
                && !self.ignore.is_some_and(|i| i.may_keep_below(&path));
            if !left_out && tree.kind(&path)?.is_some() {
                found.push(path);
            }
        }
        if found.is_empty() {
            let ignored = self.ignore.is_some_and(|i| i.excludes(pattern));
            let hint = if ignored {
                "it is left out by .dockerignore".to_owned()
            } else {
                near(tree, pattern).unwrap_or_else(|| {
                    "paths are seen from the context, and nothing outside of it can be copied"
                        .to_owned()
                })
            };
            return Err(Error::not_found(format!(
                "COPY failed: no source files were specified: {pattern}: not found"
            ))
            .hint(hint));
        }
        Ok(found)
    }

    fn left_out(&self, path: &str) -> bool {
        self.ignore.is_some_and(|i| i.excludes(path)) || self.excludes.excludes(path)
    }

    /// What is copied, in names, kinds, owners, modes and bytes; times do not count.
    pub(super) fn digest(&self) -> Result<Digest> {
        let mut hash = Hasher::sha256();
        self.each(&mut |entry, data| {
            hash.update(
                format!(
                    "{:?}",
                    (
                        &entry.path,
                        &entry.kind,
                        entry.mode,
                        entry.uid,
                        entry.gid,
                        entry.size,
                        &entry.xattrs
                    )
                )
                .as_bytes(),
            );
            let mut buffer = [0; 64 * 1024];
            loop {
                let count = data
                    .read(&mut buffer)
                    .map_err(|e| Error::internal("read file", e))?;
                if count == 0 {
                    return Ok(());
                }
                hash.update(&buffer[..count]);
            }
        })?;
        Ok(hash.finish())
    }

    /// The layer, above `parent`.
    pub(super) fn layer(&self, build: &Build<'_>, parent: &Root) -> Result<Layer> {
        let store = build.engine.0.store()?;
        let mut writer = store.layer_writer()?;
        self.each(&mut |entry, data| Ok(writer.add(entry, data)?))?;
        Ok(writer.finish(&parent.ids())?)
    }

    fn each(&self, take: &mut dyn FnMut(Entry, &mut dyn Read) -> Result<()>) -> Result<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Inline { content, to } => {
                    let mut entry = Entry::mark(to.clone().into_bytes());
                    entry.mode = 0o644;
                    let mut entry = self.settle(entry);
                    entry.size = content.len() as u64;
                    take(entry, &mut content.as_bytes())?;
                }
                Piece::File { from, to } => self.one(from, to, take)?,
                Piece::Directory { from, to } => self.all(self.tree.get(), from, to, take)?,
                // Owners in an archive are its own.
                Piece::Archive { tree, to } => self.all(tree, ".", to, take)?,
            }
        }
        Ok(())
    }

    /// One file: its directory is walked for it alone, so that all that a layer knows of a file is known.
    fn one(
        &self,
        from: &str,
        to: &str,
        take: &mut dyn FnMut(Entry, &mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        let file = self.tree.get().file(from)?;
        let stat = rustix::fs::fstat(&file)
            .map_err(|e| Error::internal(format!("read {from}"), io::Error::from(e)))?;
        let mut entry = Entry::mark(to.as_bytes().to_vec());
        entry.mode = u16::try_from(stat.st_mode & 0o7777).unwrap_or(0o644);
        entry.uid = stat.st_uid;
        entry.gid = stat.st_gid;
        entry.size = u64::try_from(stat.st_size).unwrap_or(0);
        take(self.settle(entry), &mut &file)
    }

    fn all(
        &self,
        tree: &Tree,
        from: &str,
        to: &str,
        take: &mut dyn FnMut(Entry, &mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        let own = !std::ptr::eq(tree, self.tree.get());
        let ignore = self.ignore.filter(|_| !own);
        let fd = tree.directory(if from == "." { "/" } else { from })?;
        // A directory that is there already stays as it is.
        if !to.is_empty() && !self.present.contains(to) {
            let mut entry = Entry::mark(format!("{to}/").into_bytes());
            entry.kind = EntryKind::Directory;
            entry.mode = 0o755;
            take(self.settle(entry), &mut io::empty())?;
        }
        let mut walk = Walk::merged(fd, b"", tree.bounds())?;
        // A link to what was left out becomes the file itself.
        let mut kept: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        while let Some(walked) = walk.next_entry()? {
            let mut entry = walked.entry;
            let inner = String::from_utf8_lossy(&entry.path)
                .trim_end_matches('/')
                .to_owned();
            let seen = if from == "." {
                inner.clone()
            } else {
                format!("{from}/{inner}")
            };
            if ignore.is_some_and(|i| i.excludes(&seen))
                || self.excludes.excludes(&inner)
                || self.excludes.excludes(&seen)
            {
                continue;
            }
            let place = |path: &[u8]| {
                if to.is_empty() {
                    path.to_vec()
                } else {
                    [to.as_bytes(), b"/", path].concat()
                }
            };
            let original = entry.path.clone();
            entry.path = place(&entry.path);
            if let EntryKind::HardLink(first) = &entry.kind {
                match kept.get(first) {
                    Some(there) => entry.kind = EntryKind::HardLink(there.clone()),
                    None => {
                        self.one(&seen, &String::from_utf8_lossy(&entry.path), take)?;
                        continue;
                    }
                }
            }
            kept.insert(original, entry.path.clone());
            let before = (entry.uid, entry.gid, entry.mtime);
            let mut entry = self.settle(entry);
            if own {
                // An archive says itself whose its files are, and of when.
                entry.mtime = before.2;
                if self.owner.is_none() {
                    (entry.uid, entry.gid) = (before.0, before.1);
                }
            }
            match walked.file {
                Some(mut file) => take(plain(entry), &mut file)?,
                None => take(entry, &mut io::empty())?,
            }
        }
        Ok(())
    }

    fn settle(&self, mut entry: Entry) -> Entry {
        entry.mtime = EntryTime {
            seconds: self.epoch,
            nanos: 0,
        };
        match self.owner {
            Some((uid, gid)) => (entry.uid, entry.gid) = (uid, gid),
            None if !self.keep_owner => (entry.uid, entry.gid) = (0, 0),
            None => {}
        }
        if let Some(chmod) = &self.mode
            && !matches!(entry.kind, EntryKind::Symlink(_))
        {
            let directory = if entry.kind == EntryKind::Directory {
                Directory::Yes
            } else {
                Directory::No
            };
            entry.mode = chmod.apply(entry.mode, directory);
        }
        entry
    }
}

/// What a part of a source's path names in a directory.
fn below(tree: &Tree, directory: &str, part: &str) -> Result<Vec<String>> {
    let join = |name: &str| {
        if directory == "." {
            name.to_owned()
        } else {
            format!("{directory}/{name}")
        }
    };
    if !Glob::is_pattern(part) {
        return Ok(vec![join(part)]);
    }
    let glob = Glob::new(part).map_err(|e| Error::invalid(format!("{part}: {e}")))?;
    if !tree.is_directory(directory) {
        return Ok(Vec::new());
    }
    let names = tree.names(directory)?;
    Ok(names
        .iter()
        .filter(|name| glob.matches(name))
        .map(|name| join(name))
        .collect())
}

/// The whole file is read, holes as zeros.
fn plain(mut entry: Entry) -> Entry {
    entry.sparse = None;
    entry
}

/// WORKDIR's directory, if it is not there.
pub(super) fn directory(build: &Build<'_>, parent: &Root, path: &str) -> Result<Option<Layer>> {
    let inner = &*build.engine.0;
    let relative = path.trim_start_matches('/');
    if Tree::of(inner, &parent.ids())?.is_directory(relative) {
        return Ok(None);
    }
    let mut writer = inner.store()?.layer_writer()?;
    let mut entry = Entry::mark(format!("{relative}/").into_bytes());
    entry.kind = EntryKind::Directory;
    entry.mode = 0o755;
    entry.mtime = EntryTime {
        seconds: build.moment(),
        nanos: 0,
    };
    writer.add(entry, &mut io::empty())?;
    Ok(Some(writer.finish(&parent.ids())?))
}

fn is_archive(mut file: File) -> Result<bool> {
    let mut head = [0; 512];
    let mut filled = 0;
    while filled < head.len() {
        match file
            .read(&mut head[filled..])
            .map_err(|e| Error::internal("read file", e))?
        {
            0 => break,
            count => filled += count,
        }
    }
    let magic: [&[u8]; 4] = [
        &[0x1f, 0x8b],
        b"BZh",
        &[0xfd, b'7', b'z', b'X', b'Z', 0],
        &[0x28, 0xb5, 0x2f, 0xfd],
    ];
    Ok(magic.iter().any(|m| head.starts_with(m)) || head.get(257..262) == Some(b"ustar"))
}

fn near(tree: &Tree, pattern: &str) -> Option<String> {
    let (directory, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
    if tree.kind(directory).ok()?? != FileType::Directory {
        return None;
    }
    let names = tree.names(directory).ok()?;
    dockerfile::suggest::nearest(name, names.iter().map(String::as_str))
        .map(|meant| format!("did you mean {meant}?"))
}
