//! Blobs, layers and snapshots.
