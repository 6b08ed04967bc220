use super::*;

#[test]
fn a_name_is_read_through_backward_pointers() {
    // 0: "com" 0, 5: "example" -> 0, 15: "www" -> 5
    let mut message = b"\x03com\0\x07example\xc0\x00\x03www\xc0\x05".to_vec();
    let (name, next) = Name::read(&message, 15).unwrap();
    assert_eq!(name.to_string(), "www.example.com.");
    assert_eq!(name.wire(), b"\x03www\x07example\x03com\0");
    assert_eq!(next, message.len());
    message.truncate(message.len() - 1);
    assert!(Name::read(&message, 15).is_err());
}

#[test]
fn pointers_onto_themselves_forwards_and_in_circles_are_refused() {
    assert!(Name::read(b"\xc0\x00", 0).is_err());
    assert!(Name::read(b"\xc0\x02\x00", 0).is_err());
    assert!(Name::read(b"\x01a\xc0\x04\x01b\xc0\x00", 4).is_err());
    assert!(Name::read(b"\x01a\xc0\x00", 0).is_err());
}

#[test]
fn a_name_has_255_bytes_at_most() {
    let label = [b"\x3f".as_slice(), &[b'a'; 63]].concat();
    let mut longest = label.repeat(3);
    longest.push(61);
    longest.extend([b'b'; 61]);
    let fits = [longest.as_slice(), b"\0"].concat();
    assert_eq!(fits.len(), 255);
    assert!(Name::read(&fits, 0).is_ok());
    let over = [longest.as_slice(), b"\x01c\0"].concat();
    assert!(Name::read(&over, 0).is_err());
    let text = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    assert!(Name::parse(&text).is_ok());
    assert!(Name::parse(&format!("{text}b")).is_err());
    assert!(Name::parse(&"a".repeat(64)).is_err());
    assert!(Name::parse("a..b").is_err());
    assert_eq!(Name::parse("").unwrap().to_string(), ".");
}

#[test]
fn case_is_kept_and_ignored() {
    let (a, b) = (
        Name::parse("Web.Net").unwrap(),
        Name::parse("wEB.nET.").unwrap(),
    );
    assert_eq!(a, b);
    assert_eq!(a.to_string(), "Web.Net.");
    assert_eq!(a.text().as_deref(), Some("web.net"));
    assert_ne!(a, Name::parse("web").unwrap());
}

#[test]
fn what_is_no_text_has_none() {
    for bad in [
        &b"\x03a/b\0"[..],
        b"\x03a.b\0",
        b"\x02a\0\0",
        b"\x02a \0",
        b"\x02\xc3\xa4\0",
    ] {
        assert_eq!(Name::read(bad, 0).unwrap().0.text(), None, "{bad:?}");
    }
    assert_eq!(Name::read(b"\0", 0).unwrap().0.text().as_deref(), Some(""));
}

#[test]
fn labels_of_other_kinds_are_refused() {
    assert!(Name::read(b"\x41a\0", 0).is_err());
    assert!(Name::read(b"\x81a\0", 0).is_err());
    assert!(Name::read(b"", 0).is_err());
    assert!(Name::read(b"\x05ab", 0).is_err());
}
