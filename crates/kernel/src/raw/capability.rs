//! capget(2), capset(2) and the prctl(2) of the two sets that they don't have.

use super::prctl::prctl;
use super::{check, io};

const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Effective, permitted and inheritable set of the calling thread.
pub(crate) fn get() -> io::Result<(u64, u64, u64)> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 writes two records, which `data` has room for.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })?;
    let join =
        |field: fn(&Data) -> u32| u64::from(field(&data[0])) | u64::from(field(&data[1])) << 32;
    Ok((
        join(|it| it.effective),
        join(|it| it.permitted),
        join(|it| it.inheritable),
    ))
}

/// Sets them.
pub(crate) fn set(effective: u64, permitted: u64, inheritable: u64) -> io::Result<()> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let half = |shift: u32| Data {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: version 3 reads two records.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) })?;
    Ok(())
}

/// PR_CAPBSET_READ: an error for a capability that the kernel doesn't know.
pub(crate) fn in_bounding_set(number: u8) -> io::Result<bool> {
    Ok(prctl(libc::PR_CAPBSET_READ, number.into(), 0)? == 1)
}

/// PR_CAPBSET_DROP.
pub(crate) fn drop_from_bounding_set(number: u8) -> io::Result<()> {
    prctl(libc::PR_CAPBSET_DROP, number.into(), 0).map(drop)
}

/// PR_CAP_AMBIENT_IS_SET.
pub(crate) fn in_ambient_set(number: u8) -> io::Result<bool> {
    let is_set = libc::PR_CAP_AMBIENT_IS_SET as libc::c_ulong;
    Ok(prctl(libc::PR_CAP_AMBIENT, is_set, number.into())? == 1)
}

/// PR_CAP_AMBIENT_RAISE.
pub(crate) fn raise_ambient(number: u8) -> io::Result<()> {
    let raise = libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong;
    prctl(libc::PR_CAP_AMBIENT, raise, number.into()).map(drop)
}

/// PR_CAP_AMBIENT_CLEAR_ALL.
pub(crate) fn clear_ambient_set() -> io::Result<()> {
    let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong;
    prctl(libc::PR_CAP_AMBIENT, clear, 0).map(drop)
}
