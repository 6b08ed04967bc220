use dns::Response;

use super::*;

fn query(name: &str, kind: u16) -> Query {
    let mut message = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0".to_vec();
    message.extend(Name::parse(name).unwrap().wire());
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    Query::read(&message).unwrap()
}

fn addresses() -> Found {
    let all = ["10.0.0.1", "fd00::1", "10.0.0.2", "10.0.0.3"];
    Found::Addresses(all.map(|a| a.parse().unwrap()).to_vec())
}

/// Its code, how many answers, and the last octet of the first.
fn summary(query: &Query, answer: Option<Vec<u8>>) -> (u8, u8, u8) {
    let message = answer.unwrap();
    Response::read(&message, query.id, &query.question).unwrap();
    let end = 12 + query.question.name.wire().len() + 4;
    let first = if message[7] == 0 {
        0
    } else {
        message[end + 12 + usize::from(message[end + 11]) - 1]
    };
    (message[3] & 0xf, message[7], first)
}

#[test]
fn a_question_is_about_a_name_or_an_address() {
    assert_eq!(
        asked(&query("Web.Net", A)),
        Asked::Name("web.net".to_owned())
    );
    assert_eq!(
        asked(&query("4.3.2.1.in-addr.arpa", PTR)),
        Asked::Address("1.2.3.4".parse().unwrap())
    );
    assert_eq!(asked(&query("web", PTR)), Asked::Name("web".to_owned()));
    assert_eq!(asked(&query("", A)), Asked::Other);
    let mut other = query("web", A);
    other.question.class = 3;
    assert_eq!(asked(&other), Asked::Other);
}

#[test]
fn owners_take_turns() {
    let query = query("web", A);
    let of = |turn| summary(&query, answer(&query, 512, &addresses(), turn));
    assert_eq!(
        [of(0), of(1), of(2), of(3)],
        [(0, 3, 1), (0, 3, 2), (0, 3, 3), (0, 3, 1)]
    );
}

#[test]
fn a_known_name_is_never_asked_elsewhere() {
    for (kind, records, last) in [(AAAA, 1, 1), (ANY, 4, 1), (15, 0, 0), (65, 0, 0)] {
        let query = query("web", kind);
        assert_eq!(
            summary(&query, answer(&query, 512, &addresses(), 0)),
            (0, records, last),
            "{kind}"
        );
    }
    let query = query("web", AAAA);
    let v4 = Found::Addresses(vec!["10.0.0.1".parse().unwrap()]);
    assert_eq!(summary(&query, answer(&query, 512, &v4, 7)), (0, 0, 0));
    assert_eq!(
        summary(&query, answer(&query, 512, &Found::Failure, 7)).0,
        2
    );
}

#[test]
fn what_is_unknown_is_asked_elsewhere_or_refused() {
    assert_eq!(
        answer(&query("example.com", A), 512, &Found::Nothing, 0),
        None
    );
    assert_eq!(
        without_servers(&query("example.com", A), &Found::Nothing),
        Code::ServerFailure
    );
    assert_eq!(
        without_servers(&query("nobody", A), &Found::Nothing),
        Code::NoSuchName
    );
    assert_eq!(
        without_servers(&query("", A), &Found::Nothing),
        Code::ServerFailure
    );
}

#[test]
fn an_address_has_a_name() {
    let query = query("2.0.0.10.in-addr.arpa", PTR);
    let found = Found::Name("web.backend".to_owned());
    let message = answer(&query, 512, &found, 0).unwrap();
    assert!(message.ends_with(b"\x03web\x07backend\0"));
}
