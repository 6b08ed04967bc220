use super::*;

#[test]
fn docker_finds_its_exit_codes_in_the_text() {
    let check = |kind, message: &str, expected: &str| {
        let mut text = message.to_owned();
        add_docker_words(kind, &mut text);
        assert_eq!(text, expected);
    };
    check(
        Kind::CommandNotFound,
        "execute x",
        "execute x: executable file not found",
    );
    check(
        Kind::CommandNotFound,
        "x: no such file or directory",
        "x: no such file or directory",
    );
    check(
        Kind::CommandNotExecutable,
        "execute x",
        "execute x: permission denied",
    );
    check(
        Kind::CommandNotExecutable,
        "x: is a directory",
        "x: is a directory",
    );
    check(Kind::Conflict, "x", "x");
}

#[test]
fn nothing_to_do_has_no_body() {
    let response = Refusal::new(StatusCode::NOT_MODIFIED, "it runs").into_response();
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(http_body::Body::size_hint(response.body()).exact(), Some(0));
}
