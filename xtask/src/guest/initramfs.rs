//! The guest's first file system: busybox, modules, and a script that goes on to the disk.

use std::fs;

use anyhow::Result;

use super::Kernel;
use crate::images;

const INIT: &str = r#"#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do
    $b insmod "$module" || echo "the guest could not load $module"
done
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 100 ]; do
    $b usleep 100000
    tries=$((tries + 1))
done
$b mount -t ext4 /dev/vda /disk
# Made by another user than root, the disk's files are that user's.
[ -O /disk/usr ] || $b chown -hR 0:0 /disk
$b mount -o move /dev /disk/dev
$b umount /proc
exec $b switch_root /disk /sbin/guest-init
"#;

/// An archive in cpio's `newc` format, as the kernel reads it (Documentation/driver-api/early-userspace).
pub(super) fn make(kernel: &Kernel) -> Result<Vec<u8>> {
    let mut cpio = Cpio::default();
    for dir in ["bin", "dev", "disk", "modules", "proc"] {
        cpio.add(dir, 0o040_755, (0, 0), &[]);
    }
    // The kernel opens it for init before anything is mounted.
    cpio.add("dev/console", 0o020_600, (5, 1), &[]);
    cpio.add(
        "bin/busybox",
        0o100_755,
        (0, 0),
        &fs::read(images::busybox_binary()?)?,
    );
    cpio.add("init", 0o100_755, (0, 0), INIT.as_bytes());
    for (number, module) in kernel.modules()?.iter().enumerate() {
        cpio.add(
            &format!("modules/{number:02}.ko"),
            0o100_644,
            (0, 0),
            module,
        );
    }
    cpio.add("TRAILER!!!", 0, (0, 0), &[]);
    Ok(cpio.bytes)
}

#[derive(Default)]
struct Cpio {
    bytes: Vec<u8>,
    inode: usize,
}

impl Cpio {
    fn add(&mut self, name: &str, mode: u32, device: (u32, u32), data: &[u8]) {
        self.inode += 1;
        let fields = [
            self.inode,
            mode as usize,
            0,
            0,
            1,
            0,
            data.len(),
            0,
            0,
            device.0 as usize,
            device.1 as usize,
            name.len() + 1,
            0,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(data);
        self.pad();
    }

    fn pad(&mut self) {
        let len = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(len, 0);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_entry_is_as_newc_wants_it() {
        let mut cpio = super::Cpio::default();
        cpio.add("a", 0o100_644, (0, 0), b"xy");
        let text = String::from_utf8(cpio.bytes).unwrap();
        assert_eq!(&text[..22], "07070100000001000081a4");
        assert_eq!(&text[54..62], "00000002", "size");
        assert_eq!(
            &text[94..102],
            "00000002",
            "length of the name with its NUL"
        );
        assert_eq!(&text[110..], "a\0xy\0\0");
    }
}
