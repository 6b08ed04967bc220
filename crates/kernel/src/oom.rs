//! Which processes the kernel kills first when memory is short.

use rustix::io::Errno;

use crate::procfs::ProcFs;
use crate::{Error, Result};

/// Sets the calling process's score adjustment, -1000 to 1000, and gives the one that it has now. Lowering it needs `CAP_SYS_RESOURCE`; without, it stays as
/// it is.
///
/// # Errors
/// The file can't be read or written for another reason.
pub fn set_score_adjustment(proc: &ProcFs, value: i32) -> Result<i32> {
    const FILE: &str = "self/oom_score_adj";
    match proc.write(FILE, &value.to_string()) {
        Ok(()) => Ok(value),
        Err(error) if matches!(error.errno(), Errno::ACCESS | Errno::PERM) => {
            let text = proc.read(FILE)?;
            let now = text.trim().parse();
            now.map_err(|_| Error::invalid("read in procfs", FILE, "not a number"))
        }
        Err(error) => Err(error),
    }
}
