use super::*;
use crate::{A, IN};

const PLAIN: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03wEb\0\0\x01\0\x01";

#[test]
fn a_plain_question() {
    let query = Query::read(PLAIN).unwrap();
    assert_eq!(query.id, 0x1234);
    assert_eq!(query.question.name.to_string(), "wEb.");
    assert_eq!((query.question.kind, query.question.class), (A, IN));
    assert!(query.wants_recursion());
    assert_eq!(query.edns, None);
    assert_eq!(query.udp_limit(), 512);
}

#[test]
fn edns_says_how_much_is_taken() {
    let mut message = PLAIN.to_vec();
    message[11] = 1;
    message.extend(b"\0\0\x29\x10\0\0\0\x80\0\0\x04\0\x0a\0\0");
    let query = Query::read(&message).unwrap();
    let edns = query.edns.unwrap();
    assert_eq!((edns.udp_size, edns.version, edns.dnssec), (4096, 0, true));
    assert_eq!(query.udp_limit(), 4096);
    // A size below what everybody takes is not believed (RFC 6891, 6.2.3).
    message[PLAIN.len() + 3..PLAIN.len() + 5].copy_from_slice(&[0, 7]);
    assert_eq!(Query::read(&message).unwrap().udp_limit(), 512);
    // Two of them are an error.
    message[11] = 2;
    message.extend(b"\0\0\x29\x10\0\0\0\0\0\0\0");
    assert_eq!(code(Query::read(&message)), Some(1));
}

/// The code of the refusal, `None` for silence.
fn code(result: Result<Query, Refused>) -> Option<u8> {
    match result.unwrap_err() {
        Refused::Silent => None,
        Refused::Answer(bytes) => {
            assert_eq!(bytes.len(), 12);
            assert_eq!(&bytes[..2], b"\x12\x34");
            assert_eq!(bytes[2] & 0x80, 0x80);
            Some(bytes[3] & 0xf)
        }
    }
}

#[test]
fn what_is_no_question_is_refused_by_its_kind() {
    assert_eq!(code(Query::read(b"")), None);
    assert_eq!(code(Query::read(&PLAIN[..11])), None);
    let with = |at: usize, byte: u8| {
        let mut message = PLAIN.to_vec();
        message[at] = byte;
        Query::read(&message)
    };
    assert_eq!(code(with(2, 0x81)), None, "an answer");
    assert_eq!(code(with(2, 0x28)), Some(4), "an update");
    assert_eq!(code(with(5, 0)), Some(1), "no question");
    assert_eq!(code(with(5, 2)), Some(1), "two questions");
    assert_eq!(code(with(7, 1)), Some(1), "an answer in a question");
    assert_eq!(code(with(11, 1)), Some(1), "a record that isn't there");
    assert_eq!(code(with(12, 0x3f)), Some(1), "a label past the end");
    assert_eq!(code(with(12, 0xc0)), Some(1), "a pointer forwards");
    for length in 12..PLAIN.len() {
        assert_eq!(code(Query::read(&PLAIN[..length])), Some(1), "{length}");
    }
}
