use std::net::Ipv4Addr;

use super::*;
use crate::Response;

fn query(edns: bool) -> Query {
    let mut message = b"\x12\x34\x01\x10\0\x01\0\0\0\0\0\0\x03wEb\0\0\x01\0\x01".to_vec();
    if edns {
        message[11] = 1;
        message.extend(b"\0\0\x29\x10\0\0\0\x80\0\0\0");
    }
    Query::read(&message).unwrap()
}

#[test]
fn an_answer_repeats_the_question_and_points_to_it() {
    let query = query(false);
    let mut reply = Reply::new(&query, query.udp_limit());
    reply.address(60, Ipv4Addr::new(10, 0, 0, 7).into());
    let message = reply.finish(Code::NoError);
    assert_eq!(
        message,
        b"\x12\x34\x85\x90\0\x01\0\x01\0\0\0\0\x03wEb\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x07"
    );
    assert!(Response::read(&message, query.id, &query.question).is_ok());
}

#[test]
fn who_speaks_edns_is_answered_in_it() {
    let query = query(true);
    let message = Reply::new(&query, 512).finish(Code::NoSuchName);
    assert_eq!(message[3] & 0xf, 3);
    assert_eq!(&message[10..12], [0, 1]);
    assert!(message.ends_with(b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"));
    let message = Reply::new(&query, 512).finish(Code::BadVersion);
    assert_eq!(message[3] & 0xf, 0);
    assert!(message.ends_with(b"\0\0\x29\x04\xd0\x01\0\x80\0\0\0"));
}

#[test]
fn what_does_not_fit_is_left_out_and_said() {
    for (edns, limit) in [(false, 512), (true, 512), (true, 4096), (false, LARGEST)] {
        let query = query(edns);
        let mut reply = Reply::new(&query, limit);
        for n in 0..5000_u32 {
            reply.address(0, Ipv4Addr::from(n).into());
        }
        let message = reply.finish(Code::NoError);
        assert!(message.len() <= limit, "{} over {limit}", message.len());
        assert!(message.len() + 16 > limit.min(LARGEST));
        assert_eq!(message[2] & 0x02, 0x02, "TC");
        assert!(Response::read(&message, query.id, &query.question).is_ok());
    }
}
