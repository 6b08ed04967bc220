//! Paths in archives: bytes, from anybody.

/// The components of a path, cleaned as Go's `path.Clean` does it after a `chroot`: `..` at the top stays at the top.
pub(super) fn cleaned(path: &[u8]) -> Vec<&[u8]> {
    let mut components = Vec::new();
    for component in path.split(|&b| b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => drop(components.pop()),
            _ => components.push(component),
        }
    }
    components
}

/// What the name of an entry means (OCI image-spec, layer.md, "Whiteouts").
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// An ordinary name.
    Plain(&'a [u8]),
    /// Hides the name below.
    Whiteout(&'a [u8]),
    /// Hides all content of the directory below.
    Opaque,
    /// Bookkeeping of AUFS.
    Ignored,
}

const PREFIX: &[u8] = b".wh.";
const META: &[u8] = b".wh..wh.";

impl<'a> Name<'a> {
    /// None for a whiteout that hides no single name, such as `.wh...`.
    pub(super) fn of(name: &'a [u8]) -> Option<Self> {
        if let Some(meta) = name.strip_prefix(META) {
            return Some(if meta == b".opq" {
                Self::Opaque
            } else {
                Self::Ignored
            });
        }
        match name.strip_prefix(PREFIX) {
            Some(b"" | b"." | b"..") => None,
            Some(hidden) => Some(Self::Whiteout(hidden)),
            None => Some(Self::Plain(name)),
        }
    }
}
