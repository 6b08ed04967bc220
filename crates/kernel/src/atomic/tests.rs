use std::os::unix::fs::{PermissionsExt, symlink};

use super::replace;
use crate::Errno;
use crate::root::RootDir;

#[test]
fn whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let root = RootDir::open(dir.path()).unwrap();
    symlink("elsewhere", dir.path().join("name")).unwrap();
    for (bytes, mode) in [(&b"one"[..], 0o600), (b"", 0o644), (b"three", 0o755)] {
        replace(&root, "name", bytes, mode).unwrap();
        let meta = dir.path().join("name").symlink_metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, mode);
        assert_eq!(std::fs::read(dir.path().join("name")).unwrap(), bytes);
    }
    std::fs::create_dir(dir.path().join("dir")).unwrap();
    assert_eq!(
        replace(&root, "dir", b"x", 0o600).unwrap_err().errno(),
        Errno::ISDIR
    );
    for name in ["", ".", "..", "a/b", "a\0"] {
        assert_eq!(
            replace(&root, name, b"x", 0o600).unwrap_err().errno(),
            Errno::INVAL
        );
    }
    // No temporary file is left.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}
