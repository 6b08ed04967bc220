//! The allocator.

/// malloc_trim(3).
#[cfg(target_env = "gnu")]
pub(crate) fn trim() {
    // SAFETY: takes an integer and only gives free pages back; it locks the allocator as malloc(3) does.
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries have no such call.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn trim() {}
