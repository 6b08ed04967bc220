//! The tree of one layer, as overlayfs is to see it.

use std::collections::BTreeMap;

use crate::tar::Time;

/// Names a node of a [`Tree`].
pub(crate) type NodeId = u32;

/// The root of every tree.
pub(crate) const ROOT: NodeId = 0;

/// Extended attributes, sorted by name.
pub(crate) type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// What every node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Permission bits with set-id and sticky bits.
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Time,
}

/// One inode.
#[derive(Debug)]
pub(crate) struct Node<D> {
    pub(crate) meta: Meta,
    pub(crate) xattrs: Xattrs,
    pub(crate) content: Content<D>,
    /// How many names it has; none after it was replaced.
    pub(crate) names: u32,
}

/// What an inode is. `D` is where the data of a file are.
#[derive(Debug)]
pub(crate) enum Content<D> {
    Directory(Directory),
    File(D),
    Symlink(Vec<u8>),
    Character(u32, u32),
    Block(u32, u32),
    Fifo,
    /// Hides what lower layers have by that name.
    Whiteout,
}

#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) children: BTreeMap<Vec<u8>, NodeId>,
    pub(crate) parent: NodeId,
    /// Its name in its parent: a directory has one only.
    pub(crate) name: Vec<u8>,
    /// Whether lower layers' content is hidden.
    pub(crate) opaque: bool,
}

/// All nodes of a layer.
#[derive(Debug)]
pub(crate) struct Tree<D> {
    nodes: Vec<Node<D>>,
}

impl<D> Tree<D> {
    /// A tree of nothing but its root. No layer says what the root is like: Docker ignores such entries too.
    pub(crate) fn new() -> Self {
        let meta = Meta {
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: Time::default(),
        };
        let root = Directory {
            children: BTreeMap::new(),
            parent: ROOT,
            name: Vec::new(),
            opaque: false,
        };
        Self {
            nodes: vec![Node {
                meta,
                xattrs: Vec::new(),
                content: Content::Directory(root),
                names: 1,
            }],
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node<D> {
        &self.nodes[id as usize]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node<D> {
        &mut self.nodes[id as usize]
    }

    /// All nodes that have a name, in the order in which they were made; the root first.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node<D>)> {
        (0..).zip(&self.nodes).filter(|(_, node)| node.names > 0)
    }

    /// One more than the largest id.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node as a directory, if it is one.
    pub(crate) fn directory(&self, id: NodeId) -> Option<&Directory> {
        match &self.node(id).content {
            Content::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    pub(crate) fn directory_mut(&mut self, id: NodeId) -> Option<&mut Directory> {
        match &mut self.node_mut(id).content {
            Content::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    /// The child `name` of the directory `parent`.
    pub(crate) fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        self.directory(parent)?.children.get(name).copied()
    }

    /// Puts a new node into a directory that has no such name.
    pub(crate) fn insert(
        &mut self,
        parent: NodeId,
        name: &[u8],
        meta: Meta,
        xattrs: Xattrs,
        content: Content<D>,
    ) -> NodeId {
        // Entries are limited far below this.
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.nodes.push(Node {
            meta,
            xattrs,
            content,
            names: 0,
        });
        if let Some(directory) = self.directory_mut(id) {
            directory.parent = parent;
            directory.name = name.to_vec();
        }
        self.link(parent, name, id);
        id
    }

    /// Gives a node another name.
    pub(crate) fn link(&mut self, parent: NodeId, name: &[u8], id: NodeId) {
        if let Some(directory) = self.directory_mut(parent) {
            directory.children.insert(name.to_vec(), id);
            self.node_mut(id).names += 1;
        }
    }

    /// Takes a name away, with all that is below it.
    pub(crate) fn unlink(&mut self, parent: NodeId, name: &[u8]) {
        let mut gone: Vec<NodeId> = self
            .directory_mut(parent)
            .and_then(|d| d.children.remove(name))
            .into_iter()
            .collect();
        while let Some(id) = gone.pop() {
            let node = self.node_mut(id);
            node.names -= 1;
            if let Content::Directory(directory) = &mut node.content {
                gone.extend(std::mem::take(&mut directory.children).into_values());
            }
        }
    }

    /// The path of a directory from the root, without a slash at either end.
    pub(crate) fn path(&self, id: NodeId) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = id;
        while let Some(directory) = self.directory(at).filter(|_| at != ROOT) {
            names.push(directory.name.as_slice());
            at = directory.parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// Whether lower layers' content can be seen in a directory.
    pub(crate) fn shows_lower(&self, id: NodeId) -> bool {
        let mut at = id;
        while let Some(directory) = self.directory(at) {
            if directory.opaque {
                return false;
            }
            if at == ROOT {
                return true;
            }
            at = directory.parent;
        }
        false
    }
}
