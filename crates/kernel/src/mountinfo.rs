//! What is mounted where: proc_pid_mountinfo(5).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::Result;
use crate::error::At;

/// One mount of a mount namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountInfo {
    /// Its number, which may be given to another once it is gone.
    pub id: u64,
    /// The number of the mount that it is on.
    pub parent: u64,
    /// Major and minor number of the device.
    pub device: (u32, u32),
    /// Which directory of the file system is its root.
    pub root: PathBuf,
    /// Where it is.
    pub mount_point: PathBuf,
    /// Its own options, separated by commas.
    pub options: String,
    /// How mounts spread: `shared:N`, `master:N`, `unbindable`.
    pub propagation: Vec<String>,
    /// The kind of file system.
    pub fs_type: String,
    /// What was mounted, if that means anything.
    pub source: OsString,
    /// The file system's options, separated by commas.
    pub super_options: String,
}

/// The mounts of the calling process's mount namespace below its root, in the order in which they were made.
///
/// # Errors
/// `/proc/self/mountinfo` can't be read.
pub fn read() -> Result<Vec<MountInfo>> {
    const PATH: &str = "/proc/self/mountinfo";
    Ok(parse(&std::fs::read(PATH).at("read", PATH)?))
}

/// The mounts that the text tells of. Lines that are none are passed over.
#[must_use]
pub fn parse(text: &[u8]) -> Vec<MountInfo> {
    text.split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

fn parse_line(line: &[u8]) -> Option<MountInfo> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut next = || fields.next();
    let text = |field: &[u8]| String::from_utf8_lossy(&unescape(field)).into_owned();
    let path = |field: &[u8]| PathBuf::from(OsString::from_vec(unescape(field)));
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse::<u64>().ok();
    let id = number(next()?)?;
    let parent = number(next()?)?;
    let device = std::str::from_utf8(next()?).ok()?.split_once(':')?;
    let device = (device.0.parse().ok()?, device.1.parse().ok()?);
    let root = path(next()?);
    let mount_point = path(next()?);
    let options = text(next()?);
    let mut propagation = Vec::new();
    loop {
        match next()? {
            b"-" => break,
            field => propagation.push(text(field)),
        }
    }
    let fs_type = text(next()?);
    let source = OsString::from_vec(unescape(next()?));
    let super_options = text(next()?);
    Some(MountInfo {
        id,
        parent,
        device,
        root,
        mount_point,
        options,
        propagation,
        fs_type,
        source,
        super_options,
    })
}

/// Space, tab, newline and backslash are written as three octal digits behind a backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(value) if byte == b'\\' => {
                out.push(value);
                rest = &tail[3..];
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::path::Path;

    #[test]
    fn fields_and_escapes() {
        let text = b"36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n\
            bad line\n31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].mount_point, Path::new("/mnt 2"));
        assert_eq!(mounts[0].propagation, ["master:1", "shared:2"]);
        assert_eq!(mounts[0].device, (98, 0));
        assert_eq!(mounts[0].super_options, "rw,errors=continue");
        assert_eq!(mounts[1].fs_type, "tmpfs");
    }

    #[test]
    fn the_kernels_own_text_is_read() {
        let mounts = super::read().unwrap();
        assert!(
            mounts
                .iter()
                .any(|mount| mount.mount_point == Path::new("/"))
        );
    }
}
