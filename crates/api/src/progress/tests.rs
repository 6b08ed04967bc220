use super::*;

#[test]
fn lines() {
    assert_eq!(
        Message::stream("Loaded image: x:latest\n").line(),
        "{\"stream\":\"Loaded image: x:latest\\n\"}\r\n"
    );
    assert_eq!(
        Message::error("no").line(),
        "{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no\"}\r\n"
    );
}

#[test]
fn messages_survive_any_cut() {
    let bytes = [
        Message::stream("ü}{\"\n").line(),
        Message::status("b").line(),
        Message::error("c").line(),
    ]
    .concat();
    for piece in 1..bytes.len() {
        let mut decoder = Decoder::new();
        let feed = |chunk: &[u8]| decoder.feed(chunk).unwrap();
        let all: Vec<_> = bytes.as_bytes().chunks(piece).flat_map(feed).collect();
        assert_eq!(
            all,
            [
                Message::stream("ü}{\"\n"),
                Message::status("b"),
                Message::error("c")
            ]
        );
    }
}

#[test]
fn what_is_no_message_is_refused() {
    assert!(Decoder::new().feed(b"<html>").is_err());
    let mut decoder = Decoder::new();
    let long = format!("{{\"stream\":\"{}", "x".repeat(MAX));
    assert!(decoder.feed(long.as_bytes()).is_err());
}
