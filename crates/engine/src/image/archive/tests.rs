use std::io::Read;

use super::{Archive, Entry, Kind, plain};

/// A header and its content, padded.
pub(crate) fn entry(name: &str, kind: u8, content: &[u8], link: &str) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[156] = kind;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[257..263].copy_from_slice(b"ustar\0");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn names(bytes: &[u8]) -> std::io::Result<Vec<Entry>> {
    let mut archive = Archive::new(bytes);
    let mut all = Vec::new();
    while let Some(entry) = archive.next()? {
        all.push(entry);
    }
    Ok(all)
}

#[test]
fn files_links_and_others() {
    let mut bytes = entry("./a/b", b'0', b"hello", "");
    bytes.extend(entry("dir/", b'5', b"", ""));
    bytes.extend(entry("c", b'2', b"", "../a/b"));
    bytes.extend([0; 1024]);
    let mut archive = Archive::new(&bytes[..]);
    let first = archive.next().unwrap().unwrap();
    assert_eq!((first.name.as_str(), first.kind), ("a/b", Kind::File(5)));
    let mut content = String::new();
    archive.read_to_string(&mut content).unwrap();
    assert_eq!(content, "hello");
    assert_eq!(archive.next().unwrap().unwrap().kind, Kind::Other);
    assert_eq!(
        archive.next().unwrap().unwrap().kind,
        Kind::Link("../a/b".to_owned())
    );
    assert_eq!(archive.next().unwrap(), None);
}

#[test]
fn long_names_of_both_kinds() {
    let name = "d/".repeat(80) + "x";
    let mut bytes = entry("././@LongLink", b'L', format!("{name}\0").as_bytes(), "");
    bytes.extend(entry("short", b'0', b"1", ""));
    let record = format!("path={name}\n");
    let length = record.len() + 4;
    bytes.extend(entry(
        "pax",
        b'x',
        format!("{length} {record}").as_bytes(),
        "",
    ));
    bytes.extend(entry("short", b'0', b"22", ""));
    let all = names(&bytes).unwrap();
    assert_eq!(
        all[0],
        Entry {
            name: name.clone(),
            kind: Kind::File(1)
        }
    );
    assert_eq!(
        all[1],
        Entry {
            name,
            kind: Kind::File(2)
        }
    );
}

#[test]
fn damage_is_named() {
    let whole = entry("a", b'0', &[7; 600], "");
    for cut in [100, 512, 700, 1100] {
        let error = names(&whole[..cut]).unwrap_err().to_string();
        assert!(error.contains("truncated"), "{cut}: {error}");
    }
    let mut wrong = whole.clone();
    wrong[3] = b'x';
    assert!(names(&wrong).unwrap_err().to_string().contains("checksum"));
    assert!(
        names(&[b'{'; 512])
            .unwrap_err()
            .to_string()
            .contains("no tar archive")
    );
    assert_eq!(names(&[]).unwrap(), []);
}

#[test]
fn names_are_plain() {
    for (name, expected) in [("./a//b", "a/b"), ("/a/../b", "b"), ("../../x", "x")] {
        assert_eq!(plain(name), expected);
    }
}
