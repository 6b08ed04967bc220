use super::{Error, Kind};
use crate::channel;

#[test]
fn an_error_survives_its_way_between_processes() {
    for error in [
        Error::io("mount at", "/dev", rustix::io::Errno::NOENT),
        Error::message(
            Kind::NotFound,
            "exec: \"x\": executable file not found in $PATH",
        ),
        Error::io(
            "create",
            "overlay (a log)",
            std::io::Error::other("text only"),
        ),
    ] {
        let other = channel::failure(&channel::report(&error)).unwrap();
        assert_eq!(other.to_string(), error.to_string());
        assert_eq!((other.kind, other.errno()), (error.kind, error.errno()));
        let source = |e: &Error| std::error::Error::source(e).map(ToString::to_string);
        assert_eq!(source(&other), source(&error));
    }
}

#[test]
fn a_long_report_is_cut() {
    let error = Error::message(Kind::Invalid, "é".repeat(50_000));
    let bytes = channel::report(&error);
    assert!(bytes.len() < 8192);
    assert!(channel::failure(&bytes).is_some());
}
