//! Safe doors to Linux.
