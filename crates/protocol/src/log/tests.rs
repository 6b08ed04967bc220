use std::os::fd::OwnedFd;
use std::path::Path;

use super::*;
use crate::{Kind, LogLimits};

const ROOMY: LogLimits = LogLimits {
    max_size: 1 << 20,
    max_files: 3,
};

fn dir() -> (tempfile::TempDir, OwnedFd) {
    let dir = tempfile::tempdir().unwrap();
    let fd = std::fs::File::open(dir.path()).unwrap().into();
    (dir, fd)
}

fn read_all(reader: &mut Reader) -> Vec<(Stream, String)> {
    std::iter::from_fn(|| reader.read().unwrap())
        .map(|r| (r.stream, String::from_utf8(r.payload).unwrap()))
        .collect()
}

/// A small generator, so that a failure can be repeated by its seed.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % below
    }

    fn stream(&mut self) -> Stream {
        [Stream::Stdout, Stream::Stderr][usize::try_from(self.next(2)).unwrap()]
    }

    /// Text with newlines in odd places.
    fn text(&mut self, most: u64) -> String {
        let length = self.next(most) + 1;
        let letter = |r: &mut Self| match r.next(4) {
            0 => '\n',
            n => char::from(b'a' + u8::try_from(n).unwrap()),
        };
        (0..length).map(|_| letter(self)).collect()
    }
}

#[test]
fn what_is_written_is_read() {
    let (_guard, dir) = dir();
    let mut writer = Writer::open(&dir, ROOMY).unwrap();
    let mut reader = Reader::open(&dir, None).unwrap();
    assert_eq!(reader.read().unwrap(), None);
    writer.append(Stream::Stdout, 5, b"one\n").unwrap();
    let record = reader.read().unwrap().unwrap();
    assert_eq!((record.stream, record.time), (Stream::Stdout, 5));
    assert_eq!(record.payload, b"one\n");
    assert_eq!(reader.read().unwrap(), None);
    writer.append(Stream::Stderr, 6, b"\0\xff").unwrap();
    assert_eq!(reader.read().unwrap().unwrap().payload, b"\0\xff");
    assert_eq!(reader.position(), writer.end());
}

#[test]
fn a_long_payload_becomes_several_records() {
    let (_guard, dir) = dir();
    let mut writer = Writer::open(&dir, ROOMY).unwrap();
    let long: Vec<u8> = (b'a'..=b'z').cycle().take(MAX_PAYLOAD * 2 + 1).collect();
    writer.append(Stream::Stdout, 1, &long).unwrap();
    let mut reader = Reader::open(&dir, None).unwrap();
    let texts: Vec<String> = read_all(&mut reader).into_iter().map(|(_, t)| t).collect();
    assert_eq!(texts.len(), 3);
    assert_eq!(texts.concat().into_bytes(), long);
}

#[test]
fn rotates_and_keeps_few() {
    let (_guard, dir) = dir();
    let limits = LogLimits {
        max_size: 100,
        max_files: 3,
    };
    let mut writer = Writer::open(&dir, limits).unwrap();
    let mut behind = Reader::open(&dir, None).unwrap();
    for n in 0..10_u8 {
        // 60 bytes: two do not fit.
        writer
            .append(Stream::Stdout, n.into(), &[b'0' + n; 40])
            .unwrap();
    }
    let segments = Segments::open(&dir).unwrap();
    assert_eq!(segments.list().unwrap(), [8, 9, 10]);
    let mut reader = Reader::open(&dir, None).unwrap();
    let texts = read_all(&mut reader);
    assert_eq!(
        texts.iter().map(|(_, t)| &t[..1]).collect::<String>(),
        "789"
    );
    // It never opened a file before the first one was gone.
    assert_eq!(behind.read().unwrap().unwrap().payload[0], b'0');
    assert_eq!(behind.read().unwrap_err().kind, Kind::Rotated);
    let gone = Position {
        segment: 2,
        offset: 0,
    };
    assert_eq!(
        Reader::open(&dir, Some(gone)).unwrap_err().kind,
        Kind::Rotated
    );
}

#[test]
fn a_record_larger_than_a_segment_is_kept() {
    let (_guard, dir) = dir();
    let limits = LogLimits {
        max_size: 10,
        max_files: 2,
    };
    let mut writer = Writer::open(&dir, limits).unwrap();
    for _ in 0..3 {
        writer.append(Stream::Stdout, 0, &[b'x'; 50]).unwrap();
    }
    assert_eq!(read_all(&mut Reader::open(&dir, None).unwrap()).len(), 2);
}

#[test]
fn pinned_readers_outlive_the_log() {
    let (guard, dir) = dir();
    let limits = LogLimits {
        max_size: 30,
        max_files: 5,
    };
    let mut writer = Writer::open(&dir, limits).unwrap();
    let mut reader = Reader::open(&dir, None).unwrap();
    for text in ["a", "b", "c"] {
        writer.append(Stream::Stdout, 0, text.as_bytes()).unwrap();
    }
    reader.pin().unwrap();
    for n in 1..=3 {
        std::fs::remove_file(guard.path().join(format!("log/{n:08}"))).unwrap();
    }
    let texts: String = read_all(&mut reader).into_iter().map(|(_, t)| t).collect();
    assert_eq!(texts, "abc");
}

#[test]
fn every_torn_end_is_ignored_and_overwritten() {
    let (guard, dir) = dir();
    let mut writer = Writer::open(&dir, ROOMY).unwrap();
    writer.append(Stream::Stdout, 1, b"whole\n").unwrap();
    let good = writer.end().offset;
    drop(writer);
    let path = guard.path().join("log/00000001");
    let torn = encode(Stream::Stderr, 2, b"torn by a crash\n");
    for cut in 0..torn.len() {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(usize::try_from(good).unwrap());
        bytes.extend_from_slice(&torn[..cut]);
        put(&path, &bytes);
        let mut reader = Reader::open(&dir, None).unwrap();
        assert_eq!(read_all(&mut reader).len(), 1, "cut at {cut}");
        assert_eq!(reader.position().offset, good);
        assert_eq!(tail(&dir, 1).unwrap().from.offset, 0, "cut at {cut}");
        assert_eq!(end(&dir).unwrap(), reader.position(), "cut at {cut}");
        let mut writer = Writer::open(&dir, ROOMY).unwrap();
        assert_eq!(writer.end().offset, good);
        writer.append(Stream::Stdout, 3, b"next\n").unwrap();
        let texts: Vec<String> = read_all(&mut reader).into_iter().map(|(_, t)| t).collect();
        assert_eq!(texts, ["next\n"], "cut at {cut}");
    }
}

#[test]
fn garbage_never_panics() {
    let (guard, dir) = dir();
    drop(Writer::open(&dir, ROOMY).unwrap());
    let path = guard.path().join("log/00000001");
    let mut random = Random(1);
    for _ in 0..2000 {
        let mut bytes = Vec::new();
        for _ in 0..random.next(6) {
            bytes.extend(encode(random.stream(), 1, random.text(30).as_bytes()));
        }
        for _ in 0..random.next(4) {
            if !bytes.is_empty() {
                let at = usize::try_from(random.next(bytes.len() as u64)).unwrap();
                bytes[at] = u8::try_from(random.next(256)).unwrap();
            }
        }
        put(&path, &bytes);
        let mut reader = Reader::open(&dir, None).unwrap();
        while reader.read().unwrap().is_some() {}
        let _found = tail(&dir, random.next(5)).unwrap();
        let writer = Writer::open(&dir, ROOMY).unwrap();
        assert_eq!(writer.end().offset, std::fs::metadata(&path).unwrap().len());
        let mut rest = bytes.as_slice();
        while let Ok(Some((_, size))) = Record::decode(rest) {
            rest = &rest[size..];
        }
    }
}

#[test]
fn strange_files_are_not_segments() {
    let (guard, dir) = dir();
    let mut writer = Writer::open(&dir, ROOMY).unwrap();
    writer.append(Stream::Stdout, 0, b"x").unwrap();
    let log = guard.path().join("log");
    for name in [
        "0000002",
        "00000000",
        "000000003",
        "abc",
        "00000002.tmp",
        "+0000003",
    ] {
        put(&log.join(name), b"");
    }
    assert_eq!(Segments::open(&dir).unwrap().list().unwrap(), [1]);
    // K2: a link in a segment's place is refused.
    std::os::unix::fs::symlink("/etc/passwd", log.join("00000002")).unwrap();
    assert!(Writer::open(&dir, ROOMY).is_err());
    std::fs::remove_file(log.join("00000002")).unwrap();
    rustix::fs::mknodat(
        &dir,
        "log/00000002",
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert!(Writer::open(&dir, ROOMY).is_err());
}

#[test]
fn the_log_directory_may_not_be_a_link() {
    let (guard, dir) = dir();
    std::os::unix::fs::symlink("/tmp", guard.path().join("log")).unwrap();
    assert!(Writer::open(&dir, ROOMY).is_err());
    assert!(Reader::open(&dir, None).is_err());
}

#[test]
fn parts_make_up_the_whole() {
    let (_guard, dir) = dir();
    let limits = LogLimits {
        max_size: 250,
        max_files: 10,
    };
    let mut writer = Writer::open(&dir, limits).unwrap();
    let mut reader = Reader::of(&writer, None).unwrap();
    assert!(reader.part(writer.end()).unwrap().is_none());
    for n in 0..5 {
        writer.append(Stream::Stdout, n, &[b'x'; 80]).unwrap();
    }
    let end = writer.end();
    assert_eq!(end.segment, 3);
    let mut lengths = Vec::new();
    while let Some(part) = reader.part(end).unwrap() {
        let some = part.length.min(70);
        lengths.push(some);
        reader.skip(some);
    }
    assert_eq!(lengths.iter().sum::<u64>(), 500);
    assert_eq!(reader.position(), end);
    assert!(reader.is_at_record().unwrap());
    let inside = Position {
        segment: 2,
        offset: 5,
    };
    assert!(
        !Reader::of(&writer, Some(inside))
            .unwrap()
            .is_at_record()
            .unwrap()
    );
    writer.append(Stream::Stdout, 9, b"y").unwrap();
    assert!(reader.part(end).unwrap().is_none());
    assert_eq!(reader.part(writer.end()).unwrap().unwrap().length, 21);
}

/// What the last lines are, told forwards: lines in the order of their ends, unfinished ones last.
fn expected_tail(records: &[(Stream, String)], lines: usize) -> [String; 2] {
    let mut ended: Vec<(Stream, String)> = Vec::new();
    let mut open = [String::new(), String::new()];
    let mut last_seen = [0, 0];
    for (n, (stream, text)) in records.iter().enumerate() {
        let s = stream.index();
        for c in text.chars() {
            open[s].push(c);
            if c == '\n' {
                ended.push((*stream, std::mem::take(&mut open[s])));
            }
        }
        last_seen[s] = n;
    }
    // An unfinished line counts where its last piece is.
    let mut units: Vec<(usize, Stream, String)> = Vec::new();
    let mut ends = ended.into_iter();
    for (n, (stream, text)) in records.iter().enumerate() {
        for _ in 0..text.matches('\n').count() {
            let (s, line) = ends.next().unwrap();
            units.push((n, s, line));
        }
        let s = stream.index();
        if last_seen[s] == n && !open[s].is_empty() {
            units.push((n, *stream, std::mem::take(&mut open[s])));
        }
    }
    let mut out = [String::new(), String::new()];
    for (_, stream, line) in units.iter().skip(units.len().saturating_sub(lines)) {
        out[stream.index()].push_str(line);
    }
    out
}

#[test]
fn the_tail_is_what_reading_everything_gives() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let (_guard, dir) = dir();
        let limits = LogLimits {
            max_size: 40 + random.next(200),
            max_files: 1000,
        };
        let mut writer = Writer::open(&dir, limits).unwrap();
        let mut records = Vec::new();
        for n in 0..random.next(40) {
            let (stream, text) = (random.stream(), random.text(12));
            writer.append(stream, n, text.as_bytes()).unwrap();
            records.push((stream, text));
        }
        for lines in [0, 1, 2, 3, 7, 1000] {
            let found = tail(&dir, lines).unwrap();
            let mut reader = Reader::open(&dir, Some(found.from)).unwrap();
            let mut out = [String::new(), String::new()];
            while let Some(record) = reader.read().unwrap() {
                let text = found.clip(reader.last(), record.stream, &record.payload);
                out[record.stream.index()].push_str(std::str::from_utf8(text).unwrap());
            }
            let expected = expected_tail(&records, usize::try_from(lines).unwrap());
            assert_eq!(out, expected, "seed {seed}, {lines} lines of {records:?}");
        }
    }
}

#[test]
fn is_read_while_it_is_written_and_rotated() {
    let (guard, dir) = dir();
    let limits = LogLimits {
        max_size: 500,
        max_files: 100_000,
    };
    let path = guard.path().to_owned();
    let mut writer = Writer::open(&dir, limits).unwrap();
    let thread = std::thread::spawn(move || {
        let dir: OwnedFd = std::fs::File::open(path).unwrap().into();
        let mut reader = Reader::open(&dir, None).unwrap();
        let mut next = 0_u32;
        while next < 20_000 {
            if let Some(record) = reader.read().unwrap() {
                assert_eq!(record.payload, next.to_string().repeat(3).into_bytes());
                next += 1;
            }
        }
    });
    for n in 0..20_000_u32 {
        let text = n.to_string().repeat(3);
        writer.append(Stream::Stdout, 0, text.as_bytes()).unwrap();
    }
    thread.join().unwrap();
}

#[test]
fn positions_are_in_order() {
    let p = |segment, offset| Position { segment, offset };
    assert!(p(1, 9) < p(2, 0) && p(2, 0) < p(2, 1));
}

#[expect(clippy::disallowed_methods, reason = "plants what a crash leaves")]
fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
