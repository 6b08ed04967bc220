//! Random bytes of the kernel's: getrandom(2).

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::At;
use crate::{Error, Result};

/// `N` random bytes.
///
/// # Errors
/// Only where the kernel refuses getrandom(2), as a seccomp filter could.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// `2 * N` random lower-case hexadecimal digits: `hex::<32>()` is a container's id.
///
/// # Errors
/// As [`bytes`].
pub fn hex<const N: usize>() -> Result<String> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    Ok(bytes::<N>()?
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 15)])
        .collect())
}

/// Fills `buffer`.
///
/// # Errors
/// As [`bytes`].
pub fn fill(buffer: &mut [u8]) -> Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match getrandom(&mut buffer[done..], GetRandomFlags::empty()) {
            Ok(0) => return Err(Error::new("read", "random bytes", Errno::IO)),
            Ok(got) => done += got,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error).at("read", "random bytes"),
        }
    }
    Ok(())
}
