//! How much a stranger may make us store and remember (security rules R10; tar bombs such as CVE-2025-58183).

/// Limits of one layer. The values are the same everywhere but in tests.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Entries of a tar.
    pub entries: u64,
    /// Bytes of one extended header, PAX or GNU.
    pub header: u64,
    /// Bytes of a path.
    pub path: usize,
    /// Bytes of one component of a path.
    pub component: usize,
    /// Extended attributes of one file, and their bytes.
    pub xattrs: (usize, usize),
    /// Bytes of the map of one sparse file.
    pub sparse_map: u64,
    /// Bytes of a layer: of its tar, and of what it takes on disk.
    pub bytes: u64,
    /// A tar up to this size may be as compressible as it likes.
    pub free: u64,
    /// How many times larger than its compressed form a tar may be beyond that.
    pub ratio: u64,
    /// Bytes that are remembered of all entries: names, attributes, maps.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 4_000_000,
            header: 1 << 20,
            path: 4096,
            component: 255,
            xattrs: (64, 64 << 10),
            sparse_map: 1 << 20,
            bytes: 1 << 40,
            free: 1 << 30,
            ratio: 100,
            memory: 1 << 30,
        }
    }
}
