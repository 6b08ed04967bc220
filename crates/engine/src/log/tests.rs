use std::fs::File;

use protocol::LogLimits;
use protocol::log::{Reader, Stream as Raw, Writer, tail};

use super::{Lines, Stream};

/// A log with these pieces, one a second, from the second 1 on.
fn log(pieces: &[(Raw, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(File::open(dir.path()).unwrap(), LogLimits::default()).unwrap();
    for (second, (stream, text)) in (1..).zip(pieces) {
        writer
            .append(*stream, second * 1_000_000_000, text.as_bytes())
            .unwrap();
    }
    dir
}

async fn lines(
    dir: &tempfile::TempDir,
    last: Option<u64>,
    since: Option<i64>,
    until: Option<i64>,
) -> Vec<(Stream, i64, String)> {
    let directory = File::open(dir.path()).unwrap();
    let tail = last.map(|count| tail(&directory, count).unwrap());
    let reader = Reader::open(&directory, tail.map(|t| t.from)).unwrap();
    let time = |s: i64| jiff::Timestamp::from_second(s).unwrap();
    let mut lines = Lines::new(since.map(time), until.map(time));
    lines.read(reader, tail, None);
    let mut all = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        let text = String::from_utf8(line.bytes.to_vec()).unwrap();
        all.push((line.stream, line.time.as_second(), text));
    }
    all
}

fn out(second: i64, text: &str) -> (Stream, i64, String) {
    (Stream::Stdout, second, text.to_owned())
}

#[tokio::test]
async fn pieces_become_lines_of_their_stream() {
    let dir = log(&[
        (Raw::Stdout, "a"),
        (Raw::Stderr, "e\n"),
        (Raw::Stdout, "b\nc\nd"),
        (Raw::Stdout, ""),
    ]);
    let all = lines(&dir, None, None, None).await;
    assert_eq!(
        all,
        [
            (Stream::Stderr, 2, "e\n".to_owned()),
            out(1, "ab\n"),
            out(3, "c\n"),
            out(3, "d"),
        ]
    );
}

#[tokio::test]
async fn the_tail_begins_in_the_midst_of_a_piece() {
    let dir = log(&[(Raw::Stdout, "a\nb\nc\n"), (Raw::Stdout, "d\n")]);
    assert_eq!(
        lines(&dir, Some(2), None, None).await,
        [out(1, "c\n"), out(2, "d\n")]
    );
    assert_eq!(lines(&dir, Some(0), None, None).await, []);
    assert_eq!(lines(&dir, Some(99), None, None).await.len(), 4);
}

#[tokio::test]
async fn times_bound_the_lines() {
    let dir = log(&[
        (Raw::Stdout, "a\n"),
        (Raw::Stdout, "b\n"),
        (Raw::Stdout, "c\n"),
    ]);
    assert_eq!(
        lines(&dir, None, Some(2), None).await,
        [out(2, "b\n"), out(3, "c\n")]
    );
    assert_eq!(
        lines(&dir, None, None, Some(2)).await,
        [out(1, "a\n"), out(2, "b\n")]
    );
}

#[tokio::test]
async fn a_line_without_end_comes_in_parts() {
    let long = "x".repeat(60_000);
    let pieces: Vec<_> = (0..20).map(|_| (Raw::Stdout, long.as_str())).collect();
    let all = lines(&log(&pieces), None, None, None).await;
    let sizes: Vec<_> = all.iter().map(|l| l.2.len()).collect();
    assert_eq!(sizes, [1 << 20, 20 * 60_000 - (1 << 20)]);
}
