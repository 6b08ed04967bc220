//! Hostile tars: refused, or harmless.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]

mod archive;
mod place;

use std::fs;
use std::path::Path;

use place::{Place, listing};
use store::{Format, Kind};

/// Tars that must be refused; the others must do no harm.
const REFUSED: &[&str] = &[
    "bad-typeflag",
    "esc-hardlink-abs",
    "esc-hardlink-through-symlink",
    "name-empty",
    "esc-root-is-symlink-1",
    "esc-root-is-symlink-2",
    "esc-symlink-loop",
    "gnu-longlink-huge-declared",
    "name-4097",
    "name-deep-5000",
    "name-nul-pax",
    "node-fifo-as-parent",
    "num-size-8EiB",
    "num-size-negative",
    "num-size-nonoctal",
    "num-uid-nonoctal",
    "num-uid-pax-negative",
    "order-hardlink-before-target",
    "order-hardlink-to-dir",
    "pax-noeq",
    "pax-reclen-huge",
    "sparse-map-count-1e12",
    "sparse-map-endless",
    "trunc-data",
    "trunc-header",
    "wh--wh---",
    "wh--wh-",
    "wh-a_-wh---",
];

/// What some of the others become.
const TREES: &[(&str, &[&str])] = &[
    (
        "compat-abs-symlink-parent",
        &["run/ 755", "run/pid 644 1", "var/ 755", "var/run -> /run"],
    ),
    ("wh-then-file-same-layer", &["f 644 new"]),
    ("zero-bytes", &[]),
];

#[test]
fn refused_or_harmless() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data/tar/hostile");
    let mut tars: Vec<_> = fs::read_dir(corpus)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    tars.sort();
    assert!(tars.len() > 50);
    for format in [Format::Erofs, Format::Directory] {
        let place = Place::new(format);
        // What the tars try to reach.
        let victim = Path::new("/tmp/esc-victim");
        let existed = victim.exists();
        let mut wrong = Vec::new();
        for tar in &tars {
            let name = tar.file_stem().unwrap().to_str().unwrap();
            let unpacked = place.store.unpack(fs::File::open(tar).unwrap(), &[]);
            if unpacked.is_err() != REFUSED.contains(&name) {
                wrong.push(format!("{name}: {unpacked:?}"));
            }
            match unpacked {
                Err(error) => assert!(
                    matches!(error.kind, Kind::Invalid | Kind::Limit),
                    "{name}: {error:?}"
                ),
                Ok(layer) => {
                    let view = place.view(&[layer.id]);
                    let listing = if name == "num-mtime-2^62" {
                        Vec::new()
                    } else {
                        listing(&view)
                    };
                    if let Some((_, wanted)) = TREES.iter().find(|(tree, _)| *tree == name) {
                        assert_eq!(listing, *wanted, "{name}");
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(victim.exists(), existed);
        place.leave();
    }
}
