use std::os::fd::OwnedFd;

use protocol::LogLimits;
use protocol::log::Reader;

use super::*;
use crate::streams::from_program;

#[test]
fn reads_until_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let fd: OwnedFd = std::fs::File::open(dir.path()).unwrap().into();
    let mut output = Output::new(Writer::open(&fd, LogLimits::default()).unwrap());
    let (theirs, ours) = from_program().unwrap();
    let source = Source {
        fd: ours,
        stream: Stream::Stderr,
    };
    assert_eq!(output.take(&source, 1), Got::Nothing);
    rustix::io::write(&theirs, b"hello").unwrap();
    assert_eq!(output.take(&source, 2), Got::Data);
    assert_eq!(output.take(&source, 3), Got::Nothing);
    drop(theirs);
    assert_eq!(output.take(&source, 4), Got::End);
    let record = Reader::open(&fd, None).unwrap().read().unwrap().unwrap();
    assert_eq!((record.stream, record.time), (Stream::Stderr, 2));
    assert_eq!(record.payload, b"hello");
}

/// `/dev/full` in the log's place would need a device; a limit on the file size is the same to the writer.
#[test]
fn what_is_lost_is_told_when_there_is_room() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let dir = tempfile::tempdir().unwrap();
    let fd: OwnedFd = std::fs::File::open(dir.path()).unwrap().into();
    let mut output = Output::new(Writer::open(&fd, LogLimits::default()).unwrap());
    kernel::signal::block(&[25]).unwrap(); // SIGXFSZ
    output.keep(Stream::Stdout, 1, b"before");
    let old = getrlimit(Resource::Fsize);
    let narrow = Rlimit {
        current: Some(40),
        maximum: old.maximum,
    };
    setrlimit(Resource::Fsize, narrow).unwrap();
    output.keep(Stream::Stdout, 2, b"lost");
    output.keep(Stream::Stdout, 3, b"lost too");
    setrlimit(Resource::Fsize, old).unwrap();
    output.keep(Stream::Stdout, 4, b"after");

    let mut reader = Reader::open(&fd, None).unwrap();
    let mut texts = Vec::new();
    while let Some(record) = reader.read().unwrap() {
        texts.push((record.stream, String::from_utf8(record.payload).unwrap()));
    }
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert_eq!(texts[0].1, "before");
    assert_eq!(texts[1].0, Stream::Note);
    assert!(
        texts[1]
            .1
            .starts_with("tare: 12 bytes of output were lost here:"),
        "{texts:?}"
    );
    assert_eq!(texts[2].1, "after");
}
