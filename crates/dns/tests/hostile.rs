//! Bytes of strangers: nothing panics, nothing takes long, and what is accepted is well-formed.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv6Addr};

use dns::{Code, Frames, Name, Query, Refused, Reply, Response, frame, with_id};
use proptest::prelude::*;

fn query_bytes() -> impl Strategy<Value = Vec<u8>> {
    let label = proptest::collection::vec(any::<u8>(), 1..20);
    let labels = proptest::collection::vec(label, 0..6);
    (
        any::<u16>(),
        labels,
        any::<u16>(),
        proptest::option::of(any::<(u16, u32)>()),
    )
        .prop_map(|(id, labels, kind, edns)| {
            let mut message = id.to_be_bytes().to_vec();
            message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())]);
            for label in labels {
                message.push(u8::try_from(label.len()).unwrap());
                message.extend(label);
            }
            message.push(0);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1]);
            if let Some((size, ttl)) = edns {
                message.extend([0, 0, 41]);
                message.extend(size.to_be_bytes());
                message.extend(ttl.to_be_bytes());
                message.extend([0, 0]);
            }
            message
        })
}

/// Everything that reads, given the same bytes.
fn read_all(bytes: &[u8]) {
    if let Err(Refused::Answer(answer)) = Query::read(bytes) {
        assert_eq!(answer.len(), 12);
        assert_eq!(
            Query::read(&answer),
            Err(Refused::Silent),
            "no answer is answered"
        );
    }
    for at in 0..bytes.len().min(40) {
        if let Ok((name, next)) = Name::read(bytes, at) {
            assert!(name.wire().len() <= 255 && next <= bytes.len() && next > at);
        }
    }
    let asked = Query::read(b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01").unwrap();
    if let Ok(response) = Response::read(bytes, 1, &asked.question) {
        let passed = response.pass_on(&asked, 512);
        assert!(passed.len() <= bytes.len().max(512));
        assert!(Response::read(&passed, asked.id, &asked.question).is_ok());
    }
    let mut frames = Frames::limited(4096);
    frames.push(bytes);
    while let Ok(Some(message)) = frames.pop() {
        assert!(message.len() <= 4096);
    }
}

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        read_all(&bytes);
    }

    #[test]
    fn damaged_messages_are_survived(
        mut bytes in query_bytes(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let end = cut.index(bytes.len() + 1);
        read_all(&bytes[..end]);
        bytes[2] |= 0x80;
        read_all(&bytes);
    }

    #[test]
    fn every_query_gets_an_answer_to_itself(bytes in query_bytes(), count in 0_u128..400, tcp in any::<bool>()) {
        let query = Query::read(&bytes).unwrap();
        let limit = if tcp { 65_535 } else { query.udp_limit().min(1232) };
        let mut reply = Reply::new(&query, limit);
        for n in 0..count {
            reply.address(5, IpAddr::V6(Ipv6Addr::from(n)));
        }
        let message = reply.finish(Code::NoError);
        prop_assert!(message.len() <= limit);
        let response = Response::read(&message, query.id, &query.question).unwrap();
        let fits = bytes.len() + 28 * usize::try_from(count).unwrap() < limit;
        prop_assert!(!response.is_truncated() || !fits);
        // As a server passes it on.
        let asked = Query::read(&with_id(&bytes, 77)).unwrap();
        prop_assert_eq!(asked.id, 77);
        prop_assert_eq!(asked.question, query.question.clone());
        let mut frames = Frames::default();
        frames.push(&frame(&message).unwrap());
        prop_assert_eq!(frames.pop().unwrap().unwrap(), message);
    }
}
