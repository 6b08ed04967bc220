#![allow(clippy::disallowed_methods, reason = "tests")]

use std::io::{Read, Write};
use std::path::Path;

use super::*;
use crate::Kind;

fn data(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("test_data/compressed")
            .join(name),
    )
    .unwrap()
}

/// One byte a read: the slowest of networks.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len().min(out.len()).min(1);
        self.0.read(&mut out[..count])
    }
}

fn plain(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut fast = Vec::new();
    let fast = Plain::new(bytes, &Limits::default())
        .map_err(io::Error::from)
        .and_then(|mut p| p.read_to_end(&mut fast))
        .map(|_| fast);
    let mut slow = Vec::new();
    let slow = Plain::new(Slow(bytes), &Limits::default())
        .map_err(io::Error::from)
        .and_then(|mut p| p.read_to_end(&mut slow))
        .map(|_| slow);
    assert_eq!(fast.as_ref().ok(), slow.as_ref().ok());
    fast
}

fn refused(bytes: &[u8]) -> (Kind, String) {
    let error = plain(bytes).unwrap_err();
    let ours = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    (
        ours.kind,
        std::error::Error::source(ours).unwrap().to_string(),
    )
}

#[test]
fn recognised() {
    let wanted = data("hello");
    assert_eq!(plain(&wanted).unwrap(), wanted);
    assert_eq!(plain(&data("hello.gz")).unwrap(), wanted);
    assert_eq!(plain(&data("hello.zst")).unwrap(), wanted);
    assert_eq!(plain(&data("hello.xz")).unwrap(), wanted);
    assert_eq!(plain(&data("hello.bz2")).unwrap(), wanted);
    assert_eq!(plain(b"").unwrap(), b"");
    assert_eq!(plain(b"\x1f").unwrap(), b"\x1f");
}

#[test]
fn members_and_frames() {
    assert_eq!(
        plain(&data("gzip-multi-member.tar.gz")).unwrap().len() % 512,
        0
    );
    plain(&data("gzip-trailing-zeros.tar.gz")).unwrap();
    plain(&data("zstd-10k-frames.zst")).unwrap();
    let mut garbage = data("hello.gz");
    garbage.extend_from_slice(b"\0\0x");
    assert_eq!(
        refused(&garbage),
        (Kind::Invalid, "garbage behind its end".into())
    );
}

#[test]
fn damaged() {
    assert_eq!(refused(&data("gzip-bad-crc.tar.gz")).0, Kind::Invalid);
    assert_eq!(
        refused(&data("gzip-trunc.tar.gz")),
        (
            Kind::Invalid,
            "it ends too early: the file is truncated".into()
        )
    );
    let zstd = data("hello.zst");
    assert_eq!(
        refused(&zstd[..zstd.len() - 3]),
        (
            Kind::Invalid,
            "it ends too early: the file is truncated".into()
        )
    );
    assert_eq!(refused(&data("zstd-skippable-4GiB.zst")).0, Kind::Invalid);
    assert_eq!(refused(&data("zstd-window-2GiB.zst")).0, Kind::Invalid);
}

/// Only one layer of compression is taken off.
#[test]
fn nested() {
    let inner = plain(&data("gzip-nested-50.gz")).unwrap();
    assert_eq!(inner[..2], [0x1f, 0x8b]);
}

#[test]
fn bombs() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..20 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let limits = Limits {
        bytes: 10 << 20,
        ..Limits::default()
    };
    let error = Plain::new(&bomb[..], &limits)
        .unwrap()
        .read_to_end(&mut Vec::new())
        .unwrap_err();
    assert_eq!(
        error
            .get_ref()
            .unwrap()
            .downcast_ref::<Error>()
            .unwrap()
            .kind,
        Kind::Limit
    );
    let limits = Limits {
        free: 1 << 20,
        ..Limits::default()
    };
    let error = Plain::new(&bomb[..], &limits)
        .unwrap()
        .read_to_end(&mut Vec::new())
        .unwrap_err();
    assert!(
        std::error::Error::source(error.get_ref().unwrap())
            .unwrap()
            .to_string()
            .contains("bomb")
    );
}
