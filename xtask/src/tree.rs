//! A file tree in memory: filled from packages, written as a tar that is the same byte for byte each time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::packages::Package;
use crate::shell;

/// The time of every file: 2025-01-01. Times of packages would be no harm, our own would differ each time.
const MTIME: u64 = 1_735_689_600;

/// What a path is.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A directory.
    Directory,
    /// A regular file.
    File(Vec<u8>),
    /// A symbolic link.
    Symlink(String),
    /// Another name of a file.
    Hardlink(String),
}

/// One path of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Permissions, with set-id and sticky bits.
    pub(crate) mode: u32,
    /// Owner and group.
    pub(crate) owner: (u64, u64),
    /// What it is.
    pub(crate) what: What,
}

/// Paths without a leading slash.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
}

impl Tree {
    /// A directory of root's.
    pub(crate) fn dir(&mut self, path: &str, mode: u32) {
        self.put(path, mode, What::Directory);
    }

    /// A file of root's.
    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) {
        self.put(path, mode, What::File(bytes.into()));
    }

    /// A symbolic link.
    pub(crate) fn symlink(&mut self, path: &str, target: &str) {
        self.put(path, 0o777, What::Symlink(target.to_owned()));
    }

    fn put(&mut self, path: &str, mode: u32, what: What) {
        let owner = (0, 0);
        self.nodes
            .insert(path.to_owned(), Node { mode, owner, what });
    }

    /// Sets the owner of a path that is there.
    pub(crate) fn chown(&mut self, path: &str, owner: (u64, u64)) {
        if let Some(node) = self.nodes.get_mut(path) {
            node.owner = owner;
        }
    }

    /// What stands at `path`.
    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// The bytes of the file at `path`.
    pub(crate) fn bytes(&self, path: &str) -> Result<&[u8]> {
        match self.nodes.get(path).map(|node| &node.what) {
            Some(What::File(bytes)) => Ok(bytes),
            _ => bail!("{path} is not a file in the packages"),
        }
    }

    /// Every path that is a file.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let is_file = |node: &Node| matches!(node.what, What::File(_));
        let files = self.nodes.iter().filter(move |(_, node)| is_file(node));
        files.map(|(path, _)| path.as_str())
    }

    /// Adds a package's files; gives their paths as the package names them.
    pub(crate) fn add_package(&mut self, package: &Package) -> Result<Vec<String>> {
        self.add_tar(&package.files()?)
            .with_context(|| format!("read {}", package.deb.display()))
    }

    fn add_tar(&mut self, bytes: &[u8]) -> Result<Vec<String>> {
        let mut paths = Vec::new();
        for entry in tar::Archive::new(bytes).entries()? {
            let mut entry = entry?;
            let name = entry
                .path()?
                .to_str()
                .context("a path is not UTF-8")?
                .to_owned();
            let name = clean(&name);
            paths.push(name.clone());
            let header = entry.header();
            let mode = header.mode()? & 0o7777;
            let owner = (header.uid()?, header.gid()?);
            let link = entry
                .link_name()?
                .map(|link| link.to_string_lossy().into_owned())
                .unwrap_or_default();
            let what = match entry.header().entry_type() {
                tar::EntryType::Directory => What::Directory,
                tar::EntryType::Symlink => What::Symlink(link),
                tar::EntryType::Link => What::Hardlink(self.resolve(&clean(&link))),
                tar::EntryType::Regular => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes)?;
                    What::File(bytes)
                }
                other => bail!("{name}: a package with a {other:?}"),
            };
            if name.is_empty() {
                continue;
            }
            let name = self.resolve(&name);
            // The first to name a directory settles its mode; where it is a link, /usr is merged.
            if matches!(what, What::Directory) && self.nodes.contains_key(&name) {
                continue;
            }
            self.nodes.insert(name, Node { mode, owner, what });
        }
        Ok(paths)
    }

    /// Follows a symbolic link in the first part of `path`: merged /usr.
    fn resolve(&self, path: &str) -> String {
        if let Some((first, rest)) = path.split_once('/')
            && let Some(node) = self.nodes.get(first)
            && let What::Symlink(target) = &node.what
        {
            return format!("{}/{rest}", target.trim_start_matches('/'));
        }
        path.to_owned()
    }

    /// Drops every path for which `keep` says no.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.nodes.retain(|path, _| keep(path));
    }

    /// Writes the tree as a tar.
    pub(crate) fn write_tar(&self, out: impl Write) -> Result<()> {
        let first = self.first_names();
        let mut builder = tar::Builder::new(out);
        for (path, node) in &self.nodes {
            let mut header = tar::Header::new_gnu();
            header.set_mode(node.mode);
            header.set_uid(node.owner.0);
            header.set_gid(node.owner.1);
            header.set_mtime(MTIME);
            header.set_size(0);
            match &node.what {
                What::Directory => {
                    header.set_entry_type(tar::EntryType::Directory);
                    builder.append_data(&mut header, format!("{path}/"), io::empty())?;
                }
                What::Symlink(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    builder.append_link(&mut header, path, target)?;
                }
                What::File(_) | What::Hardlink(_) => {
                    let data = self.data_of(path)?;
                    let name = first.get(data).copied().unwrap_or(path);
                    if name == path {
                        let bytes = self.bytes(data)?;
                        header.set_size(bytes.len() as u64);
                        builder.append_data(&mut header, path, bytes)?;
                    } else {
                        header.set_entry_type(tar::EntryType::Link);
                        builder.append_link(&mut header, path, name)?;
                    }
                }
            }
        }
        builder.finish()?;
        Ok(())
    }

    /// Where the bytes of a file or hard link are.
    fn data_of<'a>(&'a self, path: &'a str) -> Result<&'a str> {
        match self.nodes.get(path).map(|node| &node.what) {
            Some(What::Hardlink(target)) if target != path => self.data_of(target),
            Some(What::File(_)) => Ok(path),
            _ => bail!("{path}: a hard link to nothing"),
        }
    }

    /// Of each file with several names the one that is written first, which carries the bytes.
    fn first_names(&self) -> BTreeMap<&str, &str> {
        let mut first = BTreeMap::new();
        for path in self.nodes.keys() {
            if let Ok(data) = self.data_of(path) {
                first.entry(data).or_insert(path.as_str());
            }
        }
        first
    }

    /// Writes the tree into the directory `dir`, which is made. Owners are kept when root does it.
    pub(crate) fn write_dir(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir)?;
        let mut tar = shell::command("tar", &["-x", "-p", "--numeric-owner", "-f", "-"]);
        let mut child = tar
            .arg("-C")
            .arg(dir)
            .stdin(Stdio::piped())
            .spawn()
            .context("start tar")?;
        let input = child.stdin.take().context("tar has no standard input")?;
        let written = self.write_tar(io::BufWriter::new(input));
        let status = child.wait()?;
        if !status.success() {
            bail!("tar: {status}");
        }
        written
    }
}

/// `./usr/bin/` → `usr/bin`.
fn clean(path: &str) -> String {
    path.trim_start_matches('.').trim_matches('/').to_owned()
}

/// Makes the file `path` whole or not at all.
pub(crate) fn place(path: &Path, fill: impl FnOnce(&mut fs::File) -> Result<()>) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = Path::new(&name);
    let done = fs::File::create(part)
        .map_err(anyhow::Error::from)
        .and_then(|mut file| fill(&mut file))
        .and_then(|()| Ok(fs::rename(part, path)?));
    if done.is_err() && part.exists() {
        fs::remove_file(part)?;
    }
    done.with_context(|| format!("make {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tree: &Tree) -> Vec<(String, tar::EntryType)> {
        let mut bytes = Vec::new();
        tree.write_tar(&mut bytes).unwrap();
        tar::Archive::new(bytes.as_slice())
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                (path, entry.header().entry_type())
            })
            .collect()
    }

    #[test]
    fn a_tree_is_the_same_tar_in_any_order_of_making() {
        let (mut one, mut two) = (Tree::default(), Tree::default());
        one.dir("etc", 0o755);
        one.file("etc/hostname", 0o644, "x");
        two.file("etc/hostname", 0o644, "x");
        two.dir("etc", 0o755);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        one.write_tar(&mut a).unwrap();
        two.write_tar(&mut b).unwrap();
        assert_eq!(a, b);
    }

    #[test]
    fn a_hard_link_that_sorts_first_carries_the_bytes() {
        let mut tree = Tree::default();
        tree.file("b", 0o644, "x");
        tree.put("a", 0o644, What::Hardlink("b".to_owned()));
        use tar::EntryType::{Link, Regular};
        assert_eq!(
            names(&tree),
            [("a".to_owned(), Regular), ("b".to_owned(), Link)]
        );
    }

    #[test]
    fn a_package_for_split_usr_lands_in_merged_usr() {
        let mut package = Tree::default();
        package.dir("lib", 0o755);
        package.file("lib/libc.so.6", 0o755, "x");
        let mut bytes = Vec::new();
        package.write_tar(&mut bytes).unwrap();
        let mut tree = Tree::default();
        tree.symlink("lib", "usr/lib");
        tree.add_tar(&bytes).unwrap();
        assert!(tree.get("usr/lib/libc.so.6").is_some());
        assert!(matches!(&tree.get("lib").unwrap().what, What::Symlink(_)));
    }
}
