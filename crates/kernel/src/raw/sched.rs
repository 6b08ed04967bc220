//! How a process is scheduled, which rustix does not set: sched_setattr(2), ioprio_set(2), personality(2), set_mempolicy(2).

use super::{check, io};

/// `struct sched_attr` of linux/sched/types.h, in its first version.
#[repr(C)]
pub(crate) struct Attributes {
    pub(crate) size: u32,
    pub(crate) policy: u32,
    pub(crate) flags: u64,
    pub(crate) nice: i32,
    pub(crate) priority: u32,
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
}

/// sched_setattr(2), Linux 3.14; 0 is the calling thread.
pub(crate) fn set_attributes(pid: i32, attributes: &Attributes) -> io::Result<()> {
    let flags: libc::c_uint = 0;
    // SAFETY: the kernel reads `size` bytes behind the pointer, which is the size of the structure.
    check(unsafe {
        libc::syscall(
            libc::SYS_sched_setattr,
            pid,
            std::ptr::from_ref(attributes),
            flags,
        )
    })?;
    Ok(())
}

/// ioprio_set(2) for one process; 0 is the calling thread.
pub(crate) fn set_io_priority(pid: i32, value: i32) -> io::Result<()> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    // SAFETY: ioprio_set(2) takes integers.
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, value) })?;
    Ok(())
}

/// personality(2) of the calling thread.
pub(crate) fn set_personality(domain: libc::c_ulong) -> io::Result<()> {
    // SAFETY: personality(2) takes an integer.
    check(unsafe { libc::personality(domain) }.into())?;
    Ok(())
}

/// set_mempolicy(2) of the calling thread. `nodes` is a bit mask.
pub(crate) fn set_memory_policy(mode: i32, nodes: &[libc::c_ulong]) -> io::Result<()> {
    let bits = nodes.len() * libc::c_ulong::BITS as usize;
    let (mask, most) = if nodes.is_empty() {
        (std::ptr::null(), 0)
    } else {
        // The kernel counts one more than it reads.
        (nodes.as_ptr(), bits + 1)
    };
    // SAFETY: the kernel reads `most` - 1 bits behind the pointer, which lives through the call, or none.
    check(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, most) })?;
    Ok(())
}
