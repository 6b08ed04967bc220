use super::*;

#[test]
fn names() {
    for good in ["web", "a1", "0_.-", &"x".repeat(255)] {
        assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
    }
    for bad in [
        "",
        "a",
        "-a",
        ".a",
        "..",
        "a/b",
        "a b",
        "a\0",
        "é1",
        &"x".repeat(256),
    ] {
        bad.parse::<Name>().unwrap_err();
    }
    assert_eq!(Name::of_container("/web").unwrap().as_str(), "web");
    assert_eq!(
        Name::of_container("/a b").unwrap_err().to_string(),
        "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    );
}

#[test]
fn ids() {
    let id = ContainerId::from_bytes([0xab; 32]);
    assert_eq!(id.to_string(), "ab".repeat(32));
    assert_eq!(id.short(), "abababababab");
    assert_eq!(id.to_string().parse::<ContainerId>().unwrap(), id);
    for bad in [
        "",
        "../x",
        &"AB".repeat(32),
        &"a".repeat(63),
        &"g".repeat(64),
    ] {
        bad.parse::<ContainerId>().unwrap_err();
    }
}
