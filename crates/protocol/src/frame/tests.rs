use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::*;
use crate::{Connection, From, Refusal, Reply, Request};

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

fn receive(socket: &UnixStream) -> Result<Option<Message>> {
    let mut incoming = Incoming::default();
    loop {
        match incoming.receive(socket, RecvFlags::DONTWAIT)? {
            Progress::Message(message) => return Ok(Some(message)),
            Progress::Partial => {}
            Progress::WouldBlock | Progress::Closed => return Ok(None),
        }
    }
}

#[test]
fn descriptors_travel_with_their_message() {
    let (a, b) = pair();
    let (mut pipe_out, pipe_in) = std::io::pipe().unwrap();
    let request = Request::Wait { remove: true };
    let mut out = Outgoing::new(&request, vec![pipe_in.into()]).unwrap();
    assert!(out.send(&a, SendFlags::empty()).unwrap());
    let mut second = Outgoing::new(&Request::State, vec![]).unwrap();
    assert!(second.send(&a, SendFlags::empty()).unwrap());
    drop((out, second));

    let mut message = receive(&b).unwrap().unwrap();
    assert_eq!(message.parse::<Request>().unwrap(), request);
    let fd = message.fds.pop().unwrap();
    assert!(
        rustix::io::fcntl_getfd(&fd)
            .unwrap()
            .contains(rustix::io::FdFlags::CLOEXEC)
    );
    std::fs::File::from(fd).write_all(b"through").unwrap();
    let mut text = String::new();
    pipe_out.read_to_string(&mut text).unwrap();
    assert_eq!(text, "through");

    let message = receive(&b).unwrap().unwrap();
    assert!(message.fds.is_empty());
    assert_eq!(message.parse::<Request>().unwrap(), Request::State);
    assert!(receive(&b).unwrap().is_none());
}

#[test]
fn a_slow_socket_takes_a_message_in_pieces() {
    let (a, b) = pair();
    let long = Reply::Refused {
        kind: Refusal::Invalid,
        message: "x".repeat(MAX_BODY - 100),
    };
    let mut out = Outgoing::new(&long, vec![]).unwrap();
    let mut incoming = Incoming::default();
    let mut sends = 0;
    let message = loop {
        let _all_sent = out.send(&a, SendFlags::DONTWAIT).unwrap();
        sends += 1;
        match incoming.receive(&b, RecvFlags::DONTWAIT).unwrap() {
            Progress::Message(message) => break message,
            Progress::Partial | Progress::WouldBlock => {}
            Progress::Closed => panic!("closed"),
        }
    };
    assert!(sends > 2);
    assert_eq!(message.parse::<Reply>().unwrap(), long);
}

#[test]
fn what_is_too_large_is_not_sent() {
    let text = "x".repeat(MAX_BODY);
    assert_eq!(
        Outgoing::new(&text, vec![]).unwrap_err().kind,
        Kind::TooLarge
    );
}

#[test]
fn garbage_is_a_clean_error() {
    let header = |version: u8, length: u32| {
        let mut bytes = vec![b'T', b'M', version, 0];
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes
    };
    let too_large = u32::try_from(MAX_BODY).unwrap() + 1;
    let cases = [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Kind::Malformed),
        (vec![0; 64], Kind::Malformed),
        (header(VERSION + 1, 4), Kind::Version),
        (header(VERSION, too_large), Kind::TooLarge),
        (header(VERSION, u32::MAX), Kind::TooLarge),
    ];
    for (bytes, kind) in cases {
        let (mut a, b) = pair();
        a.write_all(&bytes).unwrap();
        assert_eq!(receive(&b).unwrap_err().kind, kind, "{bytes:?}");
    }
    for body in [&b"{"[..], b"null", b"{\"no_such\":{}}", b"\xff\xfe"] {
        let (mut a, b) = pair();
        a.write_all(&header(VERSION, u32::try_from(body.len()).unwrap()))
            .unwrap();
        a.write_all(body).unwrap();
        let message = receive(&b).unwrap().unwrap();
        assert_eq!(
            message.parse::<Request>().unwrap_err().kind,
            Kind::Malformed
        );
    }
}

#[test]
fn an_announced_length_takes_no_memory() {
    let (mut a, b) = pair();
    a.write_all(&[b'T', b'M', VERSION, 0, 0, 0, 16, 0, b'x'])
        .unwrap();
    let mut incoming = Incoming::default();
    while matches!(
        incoming.receive(&b, RecvFlags::DONTWAIT).unwrap(),
        Progress::Partial
    ) {}
    assert!(incoming.body.capacity() < 64 * 1024);
}

#[test]
fn an_end_in_the_middle_is_not_an_end() {
    let (mut a, b) = pair();
    a.write_all(b"TM").unwrap();
    drop(a);
    assert_eq!(receive(&b).unwrap_err().kind, Kind::Closed);
    let (a, b) = pair();
    drop(a);
    assert!(receive(&b).unwrap().is_none());
}

#[test]
fn surplus_descriptors_are_refused() {
    let (a, b) = pair();
    let files: Vec<OwnedFd> = (0..MAX_FDS + 2)
        .map(|_| std::fs::File::open("/dev/null").unwrap().into())
        .collect();
    let fds: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS + 2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let bytes = [IoSlice::new(b"TM\x01\0\x04\0\0\0null")];
    rustix::net::sendmsg(&a, &bytes, &mut control, SendFlags::empty()).unwrap();
    assert_eq!(receive(&b).unwrap_err().kind, Kind::Malformed);
    assert_eq!(
        Outgoing::new(&Request::State, files).unwrap_err().kind,
        Kind::TooLarge
    );
}

#[test]
fn a_connection_becomes_a_stream_without_loss() {
    let (a, b) = pair();
    let server = std::thread::spawn(move || {
        let mut incoming = Incoming::default();
        let request = loop {
            if let Progress::Message(m) = incoming.receive(&b, RecvFlags::empty()).unwrap() {
                break m.parse::<Request>().unwrap();
            }
        };
        let reply = Reply::Attached {
            position: crate::log::Position::default(),
        };
        let mut out = Outgoing::new(&reply, vec![]).unwrap();
        assert!(out.send(&b, SendFlags::empty()).unwrap());
        (&b).write_all(b"records").unwrap();
        request
    });
    let mut connection = Connection::from_stream(a);
    let request = Request::Attach {
        from: From::Start,
        stdin: false,
    };
    let (reply, fds) = connection.call(&request, &[]).unwrap();
    assert!(matches!(reply, Reply::Attached { .. }) && fds.is_empty());
    let mut text = String::new();
    connection.into_stream().read_to_string(&mut text).unwrap();
    assert_eq!(text, "records");
    assert_eq!(server.join().unwrap(), request);
}

#[test]
fn a_refusal_is_an_error() {
    let (a, b) = pair();
    let refusal = Reply::Refused {
        kind: Refusal::Conflict,
        message: "exec was started already".to_owned(),
    };
    Outgoing::new(&refusal, vec![])
        .unwrap()
        .send(&b, SendFlags::empty())
        .unwrap();
    let error = Connection::from_stream(a).receive().unwrap_err();
    assert_eq!(error.kind, Kind::Refused(Refusal::Conflict));
    assert_eq!(error.to_string(), "monitor: exec was started already");
}
