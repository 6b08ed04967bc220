use super::refused;
use crate::error::Kind;

#[test]
fn a_program_that_cannot_be_run_is_said_once() {
    for (message, code, kind) in [
        (
            r#"exec: "/etc": permission denied"#,
            126,
            Kind::CommandNotExecutable,
        ),
        (
            r#"exec: "x": executable file not found in $PATH"#,
            127,
            Kind::CommandNotFound,
        ),
        (
            r#"exec: "/x": stat /x: no such file or directory"#,
            127,
            Kind::CommandNotFound,
        ),
        (
            "exec /script: no such file or directory",
            127,
            Kind::CommandNotFound,
        ),
    ] {
        let error = refused("make container", message, code);
        assert_eq!(error.kind, kind);
        assert_eq!(
            error.message,
            format!("failed to create task for container: {message}")
        );
    }
    let error = refused("make pipes", "no space", 125);
    assert_eq!(
        error.message,
        "failed to create task for container: make pipes: no space"
    );
}
