//! The memory of the calling process.

/// Gives memory that was freed back to the system, for a process that needed much at its start and lives long.
pub fn release() {
    crate::raw::memory::trim();
}
