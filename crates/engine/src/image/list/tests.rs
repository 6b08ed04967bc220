use super::{glob, matches};

#[test]
fn patterns_stay_between_slashes() {
    for (pattern, text, expected) in [
        ("busybox", "busybox", true),
        ("busy*", "busybox", true),
        ("*box:1.?", "busybox:1.3", true),
        ("*", "a/b", false),
        ("*/b", "a/b", true),
        ("a?b", "a/b", false),
        ("", "", true),
        ("*", "", true),
    ] {
        assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn a_reference_means_its_repository_and_its_tags() {
    for (pattern, expected) in [
        ("busybox", true),
        ("busybox:latest", true),
        ("docker.io/library/busybox", true),
        ("busy*:la*", true),
        ("busybox:1", false),
        ("other", false),
    ] {
        assert_eq!(matches(pattern, "busybox:latest"), expected, "{pattern}");
    }
    assert!(matches("localhost:5000/app", "localhost:5000/app:1"));
}
