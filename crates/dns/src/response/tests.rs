use super::*;
use crate::{A, Name, Reply};

fn query() -> Query {
    Query::read(b"\xab\xcd\x01\x00\0\x01\0\0\0\0\0\0\x03web\0\0\x01\0\x01").unwrap()
}

/// An answer with id 0x1234, of so many addresses, with EDNS.
fn answer(addresses: usize) -> Vec<u8> {
    let mut message = b"\x12\x34\x81\x80\0\x01\0\0\0\0\0\x01\x03web\0\0\x01\0\x01".to_vec();
    let count = u16::try_from(addresses).unwrap();
    message[6..8].copy_from_slice(&count.to_be_bytes());
    for _ in 0..addresses {
        message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x07");
    }
    message.extend(b"\0\0\x29\x10\0\0\0\0\0\0\0");
    message
}

#[test]
fn an_answer_is_passed_on_under_the_id_that_was_asked_with() {
    let (message, query) = (answer(2), query());
    let response = Response::read(&message, 0x1234, &query.question).unwrap();
    assert!(!response.is_truncated() && !response.is_failure());
    let passed = response.pass_on(&query, 512);
    assert_eq!(&passed[..2], b"\xab\xcd");
    assert_eq!(passed[2..], message[2..]);
}

#[test]
fn what_is_too_large_becomes_its_head() {
    let (message, query) = (answer(100), query());
    let response = Response::read(&message, 0x1234, &query.question).unwrap();
    let passed = response.pass_on(&query, 512);
    assert_eq!(
        passed,
        b"\xab\xcd\x83\x80\0\x01\0\0\0\0\0\x01\x03web\0\0\x01\0\x01\0\0\x29\x10\0\0\0\0\0\0\0"
    );
    assert_eq!(response.pass_on(&query, 4096).len(), message.len());
}

#[test]
fn only_the_answer_to_the_question_is_taken() {
    let (message, query) = (answer(1), query());
    let question = &query.question;
    assert!(Response::read(&message, 0x1235, question).is_err());
    let other = |name: &str, kind| Question {
        name: Name::parse(name).unwrap(),
        kind,
        class: 1,
    };
    assert!(Response::read(&message, 0x1234, &other("wEb", A)).is_err());
    assert!(Response::read(&message, 0x1234, &other("wab", A)).is_err());
    assert!(Response::read(&message, 0x1234, &other("web", 28)).is_err());
    let mut ours = message.clone();
    ours[2] &= 0x7f;
    assert!(Response::read(&ours, 0x1234, question).is_err());
    for length in 0..message.len() {
        assert!(Response::read(&message[..length], 0x1234, question).is_err());
    }
}

#[test]
fn a_failure_is_one() {
    let query = query();
    for (code, failed) in [(0, false), (2, true), (3, false), (5, true)] {
        let mut message = Reply::new(&query, 512).finish(crate::Code::NoError);
        message[3] = (message[3] & 0xf0) | code;
        let response = Response::read(&message, query.id, &query.question).unwrap();
        assert_eq!(response.is_failure(), failed, "{code}");
    }
}

#[test]
fn an_id_is_replaced() {
    assert_eq!(with_id(b"\x01\x02rest", 0xffee), b"\xff\xeerest");
    assert_eq!(with_id(b"\x01", 0xffee), b"\x01");
}
