//! The running program out of a container's reach.
//!
//! What is started in a container begins as a copy of this process, and may be told to execute `/proc/self/exe`: with that
//! the container holds a descriptor of this binary, and could write to it once it is idle (CVE-2019-5736). So it runs from a
//! mount that is read-only, belongs to no namespace, and ends with it.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use kernel::mount::{Attr, Mount, Recursive};

use crate::fault::{Fault, Result};

const SELF: &str = "/proc/self/exe";

/// Executes this program again from such a mount, unless it already runs from one.
pub(crate) fn seal() -> Result<()> {
    let own = File::open(SELF).map_err(Fault::at("open the running program"))?;
    if kernel::mount::is_read_only(&own).map_err(Fault::at("look at the running program"))? {
        return Ok(());
    }
    let sealed = sealed(&own)?;
    let path = CString::new(format!("/proc/self/fd/{}", sealed.as_raw_fd()))
        .map_err(Fault::at("execute"))?;
    let texts = |texts: Vec<std::ffi::OsString>| -> Result<Vec<CString>> {
        let texts = texts.into_iter().map(|t| CString::new(t.into_vec()));
        texts
            .collect::<Result<_, _>>()
            .map_err(Fault::at("execute"))
    };
    let args = texts(std::env::args_os().collect())?;
    let env = texts(
        std::env::vars_os()
            .map(|(mut name, value)| {
                name.push("=");
                name.push(value);
                name
            })
            .collect(),
    )?;
    let error = kernel::process::execute(&path, &args, &env);
    Err(Fault::at("execute the running program again")(
        std::io::Error::from(error),
    ))
}

fn sealed(own: &File) -> Result<OwnedFd> {
    let mount = || {
        let mount = Mount::clone_tree(own, "", Recursive::No)?;
        mount.set_attr(Attr::MOUNT_ATTR_RDONLY, Attr::empty(), None, Recursive::No)?;
        Ok::<_, kernel::Error>(mount.into_fd())
    };
    mount().map_err(Fault::at("protect the running program"))
}
