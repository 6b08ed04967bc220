//! A store in a directory of its own, and ways to look at what it mounts.

#![allow(
    dead_code,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests; each uses a part"
)]

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use spec::LayerId;
use store::{Config, Format, Options, Store};

/// A store, and where it is.
pub(crate) struct Place {
    pub(crate) store: Store,
    directory: tempfile::TempDir,
    views: Cell<u32>,
}

impl Place {
    pub(crate) fn new(format: Format) -> Self {
        Self::with(Options {
            format: Some(format),
            ..Options::default()
        })
    }

    pub(crate) fn with(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = open_with(directory.path(), options);
        Self {
            store,
            directory,
            views: Cell::new(0),
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A merged view, attached somewhere.
    pub(crate) fn view(&self, layers: &[LayerId]) -> PathBuf {
        self.attach(&self.store.view(layers).unwrap())
    }

    pub(crate) fn attach(&self, mount: &kernel::mount::Mount) -> PathBuf {
        self.views.set(self.views.get() + 1);
        let path = self
            .directory
            .path()
            .join(format!("view{}", self.views.get()));
        fs::create_dir(&path).unwrap();
        mount
            .attach(
                fs::File::open("/").unwrap(),
                path.strip_prefix("/").unwrap(),
            )
            .unwrap();
        path
    }

    /// What the tools of erofs-utils say of an image, where they are.
    pub(crate) fn fsck(&self, layer: &LayerId) {
        let image = self.root().join("layers").join(format!("{layer}.erofs"));
        if !image.exists() {
            return;
        }
        let Ok(output) = Command::new("fsck.erofs")
            .arg("--extract")
            .arg(&image)
            .output()
        else {
            return;
        };
        assert!(output.status.success(), "{output:?}");
    }

    /// Bytes that all of it takes on disk.
    pub(crate) fn disk_usage(&self) -> u64 {
        fn usage(path: &Path) -> u64 {
            let meta = fs::symlink_metadata(path).unwrap();
            let children = if meta.is_dir() {
                fs::read_dir(path)
                    .unwrap()
                    .map(|e| usage(&e.unwrap().path()))
                    .sum()
            } else {
                0
            };
            meta.blocks() * 512 + children
        }
        usage(&self.root())
    }

    /// Unmounts everything; nothing may be left.
    pub(crate) fn leave(&self) {
        for view in 1..=self.views.get() {
            let path = self.directory.path().join(format!("view{view}"));
            kernel::mount::unmount_detach(&path).unwrap();
        }
        self.store.unmount_all().unwrap();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let here = self.directory.path().to_str().unwrap();
        assert!(!mounts.contains(here), "{mounts}");
    }
}

pub(crate) fn open(directory: &Path, format: Format) -> Store {
    open_with(
        directory,
        Options {
            format: Some(format),
            ..Options::default()
        },
    )
}

fn open_with(directory: &Path, options: Options) -> Store {
    let config = Config {
        root: directory.join("root"),
        run: directory.join("run"),
    };
    let db = state::Db::open(&config.root.join("tare.db")).unwrap();
    Store::open_with(config, db, options).unwrap()
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

pub(crate) fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1 << 16];
    let len = rustix::fs::lgetxattr(path, name, &mut value[..]).ok()?;
    value.truncate(len);
    Some(value)
}

/// All that is below a directory: path, permissions, content or target.
pub(crate) fn listing(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let meta = fs::symlink_metadata(&path).unwrap();
            let mode = meta.mode() & 0o7777;
            lines.push(if meta.is_dir() {
                left.push(path);
                format!("{name}/ {mode:o}")
            } else if meta.is_symlink() {
                format!("{name} -> {}", fs::read_link(&path).unwrap().display())
            } else if meta.len() > 1 << 20 {
                format!("{name} {mode:o} {} bytes", meta.len())
            } else if meta.is_file() {
                format!("{name} {mode:o} {}", read(&path))
            } else {
                format!("{name} {mode:o} {:o}", meta.mode() & 0o170_000)
            });
        }
    }
    lines.sort();
    lines
}
