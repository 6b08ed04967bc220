//! From a list of entries to the tree of the layer.
//!
//! Entries are applied one after the other, as if to a file system that already holds the layers below: a symlink in a
//! path is followed wherever it comes from and never leaves the root, a directory that nobody mentions is the one below,
//! and a hard link may name a file below, which is then copied. What was asked of the layers below is remembered: a layer
//! that asked nothing is a function of its tar alone.

use std::collections::BTreeMap;

use super::lower::{Found, FoundKind, Lower};
use super::path::{Name, cleaned};
use super::tree::{Content, Directory, Meta, NodeId, ROOT, Tree, Xattrs};
use super::xattr;
use crate::error::{Error, Result, shown};
use crate::tar::{Entry, Kind};

const OP: &str = "unpack layer";
/// The kernel's limit of symlinks in one path (path_resolution(7)).
const MAX_SYMLINKS: u32 = 40;

/// An entry whose data are stored.
#[derive(Debug)]
pub(crate) struct Recorded<D> {
    pub(crate) entry: Entry,
    pub(crate) data: Option<D>,
}

/// Applies all entries.
pub(crate) fn resolve<D>(
    entries: Vec<Recorded<D>>,
    lower: &mut dyn Lower<D>,
) -> Result<Resolved<D>> {
    let mut resolver = Resolver {
        tree: Tree::new(),
        lower,
        asked: false,
    };
    for Recorded { entry, data } in entries {
        let path = entry.path.clone();
        resolver.apply(entry, data).map_err(|why| match why {
            Failure::Entry(why) => Error::invalid(OP, format_args!("entry {}", shown(&path)), why),
            Failure::Lower(error) => error,
        })?;
    }
    resolver.hide_root()?;
    resolver.drop_idle_whiteouts();
    Ok(Resolved {
        tree: resolver.tree,
        asked: resolver.asked,
    })
}

/// The tree of a layer, and whether the layers below had a say in it.
#[derive(Debug)]
pub(crate) struct Resolved<D> {
    pub(crate) tree: Tree<D>,
    pub(crate) asked: bool,
}

struct Resolver<'a, D> {
    tree: Tree<D>,
    lower: &'a mut dyn Lower<D>,
    asked: bool,
}

enum Failure {
    /// The entry makes no sense.
    Entry(&'static str),
    /// The layers below could not be read.
    Lower(Error),
}

impl From<&'static str> for Failure {
    fn from(why: &'static str) -> Self {
        Self::Entry(why)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Lower(error)
    }
}

/// Where a path leads.
enum Place {
    Node(NodeId),
    /// Only the layers below have it; the directory is in the layer now.
    Below(NodeId, Vec<u8>, Found),
    Nowhere,
}

impl<D> Resolver<'_, D> {
    fn apply(&mut self, entry: Entry, data: Option<D>) -> Result<(), Failure> {
        let path = entry.path.clone();
        if path.contains(&0) {
            return Err("its path contains a NUL byte".into());
        }
        let components = cleaned(&path);
        let Some((name, parents)) = components.split_last() else {
            // The root stays what it is.
            return if entry.kind == Kind::Directory {
                Ok(())
            } else {
                Err("it would replace the root directory".into())
            };
        };
        for parent in parents {
            match Name::of(parent) {
                Some(Name::Plain(_)) => {}
                Some(Name::Ignored) => return Ok(()),
                _ => return Err("a whiteout in its path".into()),
            }
        }
        if components.iter().any(|c| c.len() > 255) {
            return Err("a component of its path is longer than 255 bytes".into());
        }
        let meta = Meta {
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
        };
        let name = Name::of(name).ok_or("a whiteout that hides no name")?;
        // A character device 0:0 is overlayfs's whiteout; only `.wh.` names make one (security rule D5).
        if name == Name::Ignored
            || matches!(
                (&name, &entry.kind),
                (Name::Plain(_), Kind::Character(0, 0))
            )
        {
            return Ok(());
        }
        let parent = self.parent(parents, meta)?;
        match name {
            Name::Opaque => self.opaque(parent),
            Name::Whiteout(hidden) => self.whiteout(parent, hidden, meta),
            Name::Plain(name) => self.place(parent, name, meta, entry, data)?,
            Name::Ignored => {}
        }
        Ok(())
    }

    fn opaque(&mut self, directory: NodeId) {
        if let Some(directory) = self.tree.directory_mut(directory) {
            directory.opaque = true;
        }
    }

    /// Hides `name` below; what this layer itself has by that name stays, in whatever order they came.
    fn whiteout(&mut self, parent: NodeId, name: &[u8], meta: Meta) {
        match self.tree.child(parent, name) {
            Some(child) => self.opaque(child),
            None => {
                let meta = Meta {
                    mode: 0,
                    uid: 0,
                    gid: 0,
                    mtime: meta.mtime,
                };
                self.tree
                    .insert(parent, name, meta, Vec::new(), Content::Whiteout);
            }
        }
    }

    fn place(
        &mut self,
        parent: NodeId,
        name: &[u8],
        meta: Meta,
        entry: Entry,
        data: Option<D>,
    ) -> Result<(), Failure> {
        let mut opaque = false;
        let xattrs = xattr::kept(entry.xattrs, &entry.kind);
        if let Kind::HardLink(target) = &entry.kind {
            return self.hard_link(parent, name, meta, xattrs, target);
        }
        if let Some(child) = self.tree.child(parent, name) {
            if entry.kind == Kind::Directory && self.tree.directory(child).is_some() {
                let node = self.tree.node_mut(child);
                node.meta = meta;
                node.xattrs = xattrs;
                return Ok(());
            }
            // What it replaces hid what is below.
            opaque = true;
            self.tree.unlink(parent, name);
        }
        let content = match entry.kind {
            Kind::File => Content::File(data.ok_or("its data are missing")?),
            Kind::Directory => {
                self.make_directory(parent, name, meta, xattrs, opaque);
                return Ok(());
            }
            Kind::Symlink(target) if target.contains(&0) => {
                return Err("its link contains a NUL byte".into());
            }
            Kind::Symlink(target) => Content::Symlink(target),
            Kind::Character(major, minor) => Content::Character(major, minor),
            Kind::Block(major, minor) => Content::Block(major, minor),
            Kind::Fifo => Content::Fifo,
            Kind::HardLink(_) => return Ok(()),
        };
        let mode = if matches!(content, Content::Symlink(_)) {
            0o777
        } else {
            meta.mode
        };
        self.tree
            .insert(parent, name, Meta { mode, ..meta }, xattrs, content);
        Ok(())
    }

    fn make_directory(
        &mut self,
        parent: NodeId,
        name: &[u8],
        meta: Meta,
        xattrs: Xattrs,
        opaque: bool,
    ) -> NodeId {
        let directory = Directory {
            children: BTreeMap::new(),
            parent,
            name: Vec::new(),
            opaque,
        };
        self.tree
            .insert(parent, name, meta, xattrs, Content::Directory(directory))
    }

    fn hard_link(
        &mut self,
        parent: NodeId,
        name: &[u8],
        meta: Meta,
        xattrs: Xattrs,
        target: &[u8],
    ) -> Result<(), Failure> {
        if target.contains(&0) {
            return Err("its link contains a NUL byte".into());
        }
        let components = cleaned(target);
        let (last, parents) = components
            .split_last()
            .ok_or("it links to the root directory")?;
        let node = match self.target(parents, last)? {
            Place::Node(node) => node,
            Place::Below(directory, path, found) => self.copy_up(directory, last, &path, found)?,
            Place::Nowhere => return Err("it links to a file that does not exist".into()),
        };
        match self.tree.node(node).content {
            Content::Directory(_) => return Err("it links to a directory".into()),
            Content::Whiteout => return Err("it links to a file that does not exist".into()),
            _ => {}
        }
        if self.tree.child(parent, name) == Some(node) {
            return Ok(());
        }
        self.tree.unlink(parent, name);
        self.tree.link(parent, name, node);
        let node = self.tree.node_mut(node);
        // Docker lets the link's header change the file.
        if !matches!(node.content, Content::Symlink(_)) {
            node.meta.mode = meta.mode;
        }
        node.meta = Meta {
            mode: node.meta.mode,
            ..meta
        };
        node.xattrs
            .retain(|(name, _)| !xattrs.iter().any(|(new, _)| new == name));
        node.xattrs.extend(xattrs);
        node.xattrs.sort();
        Ok(())
    }

    /// Takes something from the layers below into this one, as overlayfs does when it is linked.
    fn copy_up(
        &mut self,
        parent: NodeId,
        name: &[u8],
        path: &[u8],
        found: Found,
    ) -> Result<NodeId, Failure> {
        let content = match found.kind {
            FoundKind::Directory => return Err("it links to a directory".into()),
            FoundKind::File => Content::File(self.lower.copy(path, &found.xattrs)?),
            FoundKind::Symlink(target) => Content::Symlink(target),
            FoundKind::Character(major, minor) => Content::Character(major, minor),
            FoundKind::Block(major, minor) => Content::Block(major, minor),
            FoundKind::Fifo => Content::Fifo,
        };
        Ok(self
            .tree
            .insert(parent, name, found.meta, found.xattrs, content))
    }

    /// Where a hard link's target is. The last component is not followed.
    fn target(&mut self, parents: &[&[u8]], last: &[u8]) -> Result<Place, Failure> {
        // Only a path that leads to something makes directories: they become the parents of the copy.
        let Some(directory) = self.walk(parents, None)? else {
            return Ok(Place::Nowhere);
        };
        if let Some(child) = self.tree.child(directory, last) {
            return Ok(Place::Node(child));
        }
        match self.below(directory, last)? {
            Some((path, found)) => Ok(Place::Below(directory, path, found)),
            None => Ok(Place::Nowhere),
        }
    }

    fn parent(&mut self, parents: &[&[u8]], meta: Meta) -> Result<NodeId, Failure> {
        self.walk(parents, Some(meta))?
            .ok_or(Failure::Entry("its parent directory does not exist"))
    }

    /// The directory that a path leads to. With `make`, directories that are nowhere are made; without, there is none then.
    fn walk(
        &mut self,
        components: &[&[u8]],
        make: Option<Meta>,
    ) -> Result<Option<NodeId>, Failure> {
        let mut at = ROOT;
        let mut left: Vec<Vec<u8>> = components.iter().rev().map(|c| c.to_vec()).collect();
        let mut symlinks = 0;
        while let Some(name) = left.pop() {
            let target = match self.step(at, &name, make)? {
                Step::To(next) => {
                    at = next;
                    continue;
                }
                Step::Nowhere => return Ok(None),
                Step::Symlink(target) => target,
            };
            symlinks += 1;
            if symlinks > MAX_SYMLINKS {
                return Err("too many symbolic links in its path".into());
            }
            if target.starts_with(b"/") {
                at = ROOT;
            }
            left.extend(target.split(|&b| b == b'/').rev().map(<[u8]>::to_vec));
            if left.len() > 4096 {
                return Err("its path becomes too long".into());
            }
        }
        Ok(Some(at))
    }

    fn step(&mut self, at: NodeId, name: &[u8], make: Option<Meta>) -> Result<Step, Failure> {
        match name {
            b"" | b"." => return Ok(Step::To(at)),
            b".." => return Ok(Step::To(self.tree.directory(at).map_or(ROOT, |d| d.parent))),
            _ => {}
        }
        let mut hidden = false;
        if let Some(child) = self.tree.child(at, name) {
            match &self.tree.node(child).content {
                Content::Directory(_) => return Ok(Step::To(child)),
                Content::Symlink(target) => return Ok(Step::Symlink(target.clone())),
                Content::Whiteout if make.is_none() => return Ok(Step::Nowhere),
                Content::Whiteout => hidden = true,
                _ => return Err("its parent is not a directory".into()),
            }
        }
        let found = if hidden { None } else { self.below(at, name)? };
        match found {
            Some((
                _,
                Found {
                    meta,
                    xattrs,
                    kind: FoundKind::Directory,
                },
            )) => Ok(Step::To(self.make_directory(at, name, meta, xattrs, false))),
            Some((
                _,
                Found {
                    kind: FoundKind::Symlink(target),
                    ..
                },
            )) => Ok(Step::Symlink(target)),
            Some(_) => Err("its parent is not a directory".into()),
            None => {
                let Some(meta) = make else {
                    return Ok(Step::Nowhere);
                };
                if hidden {
                    self.tree.unlink(at, name);
                }
                // Nobody says what it is like: Docker's default, and the time of what is in it, so that the same tar makes the same layer.
                let meta = Meta {
                    mode: 0o755,
                    uid: 0,
                    gid: 0,
                    mtime: meta.mtime,
                };
                Ok(Step::To(self.make_directory(
                    at,
                    name,
                    meta,
                    Vec::new(),
                    hidden,
                )))
            }
        }
    }

    /// What the layers below have in a directory by a name that this layer does not have.
    fn below(
        &mut self,
        directory: NodeId,
        name: &[u8],
    ) -> Result<Option<(Vec<u8>, Found)>, Failure> {
        if !self.tree.shows_lower(directory) {
            return Ok(None);
        }
        self.asked = true;
        let mut path = self.tree.path(directory);
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Ok(self.lower.lookup(&path)?.map(|found| (path, found)))
    }

    /// Overlayfs does not look whether the root of a lower layer is opaque, so all that is below is hidden name by name.
    fn hide_root(&mut self) -> Result<()> {
        if !self.tree.directory(ROOT).is_some_and(|root| root.opaque) {
            return Ok(());
        }
        self.asked = true;
        if let Some(root) = self.tree.directory_mut(ROOT) {
            root.opaque = false;
        }
        let meta = self.tree.node(ROOT).meta;
        for name in self.lower.names()? {
            self.whiteout(ROOT, &name, meta);
        }
        Ok(())
    }
}

impl<D> Resolver<'_, D> {
    /// Takes whiteouts away that hide nothing: where overlayfs has no layers to merge, a listing would show them.
    fn drop_idle_whiteouts(&mut self) {
        let mut idle = Vec::new();
        for (id, _) in self.tree.nodes() {
            let Some(directory) = self.tree.directory(id) else {
                continue;
            };
            for (name, &child) in &directory.children {
                if matches!(self.tree.node(child).content, Content::Whiteout) {
                    idle.push((id, name.clone()));
                }
            }
        }
        for (parent, name) in idle {
            let shown = self.tree.shows_lower(parent);
            if shown && !self.lower.is_empty() {
                continue;
            }
            // Above other layers it would hide something.
            self.asked |= shown;
            self.tree.unlink(parent, &name);
        }
    }
}

enum Step {
    To(NodeId),
    Symlink(Vec<u8>),
    Nowhere,
}
