use super::*;

#[test]
fn is_found_by_its_containers_id() {
    let container = ContainerId::from_bytes([0xab; 32]);
    let id = ExecId::new(&container, [1; 16]);
    assert!(container.to_string().starts_with(id.container_prefix()));
    assert_eq!(id.as_str().parse::<ExecId>().unwrap(), id);
    let json = serde_json::to_string(&id).unwrap();
    assert_eq!(serde_json::from_str::<ExecId>(&json).unwrap(), id);
}

#[test]
fn garbage_is_refused() {
    for text in [
        "",
        "abc",
        "../../../etc/passwd",
        &"G".repeat(64),
        &"é".repeat(32),
    ] {
        assert!(text.parse::<ExecId>().is_err(), "{text}");
    }
}
