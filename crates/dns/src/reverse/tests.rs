use super::*;

#[test]
fn there_and_back() {
    for text in [
        "172.17.0.2",
        "0.0.0.0",
        "255.1.20.3",
        "::1",
        "fd00:1234::abcd",
        "::",
    ] {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(address_of(&pointer_name(address)), Some(address));
    }
    assert_eq!(
        pointer_name("172.17.0.2".parse().unwrap()),
        "2.0.17.172.in-addr.arpa"
    );
    assert!(pointer_name("fd00::1".parse().unwrap()).starts_with("1.0.0.0."));
}

#[test]
fn what_is_no_address_is_none() {
    for name in [
        "",
        "in-addr.arpa",
        ".in-addr.arpa",
        "1.in-addr.arpa",
        "1.2.3.4.5.in-addr.arpa",
        "256.0.0.1.in-addr.arpa",
        "01.0.0.1.in-addr.arpa",
        "+1.0.0.1.in-addr.arpa",
        "a.0.0.1.in-addr.arpa",
        "web",
        "1.ip6.arpa",
        "g.ip6.arpa",
    ] {
        assert_eq!(address_of(name), None, "{name}");
    }
    let long = format!("{}ip6.arpa", "0.".repeat(33));
    assert_eq!(address_of(&long), None);
}
