#![allow(unreachable_pub, reason = "the macro declares public types")]

use super::*;

object! {
    /// For the tests.
    pub struct Thing {
        /// Always there.
        pub name: String = "Name",
        /// Null when none.
        pub list: Option<Vec<String>> = "List",
        /// Left out when empty.
        pub labels: Labels = "Labels" omit,
        /// Nested.
        pub inner: Option<Box<Thing>> = "Inner" omit,
    }
}

#[test]
fn keys_match_in_any_case_and_null_is_absent() {
    let thing: Thing = decode(
        br#"{"NAME":"a","list":null,"Labels":null,"unknown":{"x":[1]},"inner":{"name":null}}"#,
    )
    .unwrap();
    assert_eq!(thing.name, "a");
    assert_eq!(thing.list, None);
    assert_eq!(thing.inner, Some(Box::default()));
    assert_eq!(decode::<Thing>(b"null").unwrap(), Thing::default());
}

#[test]
fn all_fields_are_written_but_those_declared_otherwise() {
    assert_eq!(
        serde_json::to_string(&Thing::default()).unwrap(),
        r#"{"Name":"","List":null}"#
    );
}

#[test]
fn errors_say_what_docker_says() {
    let text = |body: &[u8]| decode::<Thing>(body).unwrap_err().to_string();
    assert_eq!(
        text(b""),
        "invalid JSON: got EOF while reading request body"
    );
    assert_eq!(text(b"{} {}"), "unexpected content after JSON");
    assert!(text(b"{").starts_with("invalid JSON: "));
    assert!(text(b"[]").starts_with("invalid JSON: "));
    assert!(text(br#"{"Name":3}"#).starts_with("invalid JSON: "));
}

#[test]
fn depth_is_bounded() {
    // What is ignored is skipped without recursion, however deep.
    let ignored = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(decode::<Thing>(ignored.as_bytes()).is_ok());
    let inner = format!("{}null{}", "{\"inner\":".repeat(1000), "}".repeat(1000));
    assert!(decode::<Thing>(inner.as_bytes()).is_err());
}
