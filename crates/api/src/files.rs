//! A container's files.

use crate::time::Time;

object! {
    /// A change to a container's files.
    pub struct Change {
        /// The path.
        pub path: String = "Path",
        /// 0 for modified, 1 for added, 2 for deleted.
        pub kind: i64 = "Kind",
    }
}

object! {
    /// What is at a path of a container: a header, in base64.
    pub struct PathStat {
        /// Its name.
        pub name: String = "name",
        /// Its bytes.
        pub size: i64 = "size",
        /// Its type and permissions, in Go's bits.
        pub mode: u32 = "mode",
        /// When it was last modified.
        pub mtime: Time = "mtime",
        /// Where a link leads to in the container.
        pub link_target: String = "linkTarget",
    }
}

/// Go's bits of file modes: each with that of stat(2), and the type or permission bits that it stands for.
const BITS: [(u32, u32, u32); 9] = [
    (1 << 31, 0o170_000, 0o040_000),
    (1 << 27, 0o170_000, 0o120_000),
    (1 << 26, 0o170_000, 0o060_000),
    (1 << 26 | 1 << 21, 0o170_000, 0o020_000),
    (1 << 25, 0o170_000, 0o010_000),
    (1 << 24, 0o170_000, 0o140_000),
    (1 << 23, 0o4_000, 0o4_000),
    (1 << 22, 0o2_000, 0o2_000),
    (1 << 20, 0o1_000, 0o1_000),
];

/// The mode of stat(2) as Go writes it.
#[must_use]
pub fn go_mode(mode: u32) -> u32 {
    let bits = BITS.iter().filter(|(_, mask, value)| mode & mask == *value);
    bits.fold(mode & 0o777, |go, (bit, ..)| go | bit)
}

impl PathStat {
    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.mode & 1 << 31 != 0
    }

    /// Whether it is a symbolic link.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.mode & 1 << 27 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_gos() {
        for (mode, go) in [
            (0o100_644, 0o644),
            (0o040_755, 1 << 31 | 0o755),
            (0o041_777, 1 << 31 | 1 << 20 | 0o777),
            (0o120_777, 1 << 27 | 0o777),
            (0o104_755, 1 << 23 | 0o755),
            (0o020_620, 1 << 26 | 1 << 21 | 0o620),
            (0o060_660, 1 << 26 | 0o660),
            (0o010_600, 1 << 25 | 0o600),
        ] {
            assert_eq!(go_mode(mode), go, "{mode:o}");
        }
    }
}
