use super::{look_up, refusal};
use crate::error::Kind;

#[test]
fn programs_are_found_in_the_search_path() {
    let env = [
        "PATH=/nowhere".to_owned(),
        "PATH=relative::/nowhere:/bin/:/usr/bin".to_owned(),
    ];
    assert_eq!(look_up("sh", &env).unwrap().to_str().unwrap(), "/bin/sh");
    assert_eq!(look_up("sh", &[]).unwrap().to_str().unwrap(), "/usr/bin/sh");
    assert_eq!(
        look_up("/bin/sh", &[]).unwrap().to_str().unwrap(),
        "/bin/sh"
    );
}

#[test]
fn what_is_not_found_is_told_in_dockers_words() {
    let error = |name: &str| {
        let error = look_up(name, &["PATH=/bin".to_owned()]).unwrap_err();
        (error.to_string(), error.exit_code())
    };
    let not_found = (
        r#"exec: "nosuch": executable file not found in $PATH"#.to_owned(),
        127,
    );
    assert_eq!(error("nosuch"), not_found);
    assert_eq!(error("").1, 127);
    assert_eq!(
        error("/etc"),
        (r#"exec: "/etc": permission denied"#.to_owned(), 126)
    );
    assert_eq!(
        error("/etc/passwd"),
        (r#"exec: "/etc/passwd": permission denied"#.to_owned(), 126)
    );
    assert_eq!(
        error("/no/such"),
        (
            r#"exec: "/no/such": stat /no/such: no such file or directory"#.to_owned(),
            127
        )
    );
    assert_eq!(error("/etc/passwd/x").1, 126);
}

#[test]
fn what_execve_says_is_a_kind() {
    let kind = |errno| refusal(&c"/x".to_owned(), errno).kind;
    assert_eq!(kind(rustix::io::Errno::NOENT), Kind::NotFound);
    assert_eq!(kind(rustix::io::Errno::NOEXEC), Kind::NotExecutable);
    assert_eq!(kind(rustix::io::Errno::NOMEM), Kind::Kernel);
}
