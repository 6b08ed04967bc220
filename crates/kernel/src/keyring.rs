//! Session keyrings.

use std::ffi::CString;

use crate::error::At;
use crate::{Result, raw};

/// Gives the calling thread and what it starts a session keyring of their own, without the keys of the one that it had. With a name, one of that name is
/// joined if it exists. Gives its number.
///
/// # Errors
/// The kernel has no keyrings (`ENOSYS`), or the user has too many (`EDQUOT`).
pub fn new_session(name: Option<&str>) -> Result<i32> {
    const OP: &str = "join session keyring";
    let shown = name.unwrap_or("without a name");
    let name = name.map(CString::new).transpose().at(OP, shown)?;
    raw::keyring::join_session(name.as_deref()).at(OP, shown)
}
