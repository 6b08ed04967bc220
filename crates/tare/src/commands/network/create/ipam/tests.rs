#![allow(clippy::unwrap_used, reason = "tests")]

use super::pools;

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn each_address_finds_its_subnet() {
    let aux = [("router".to_owned(), "fd00:1::5".to_owned())];
    let made = pools(
        &texts(&["10.1.0.0/16", "fd00:1::/64", "10.2.0.0/16"]),
        &texts(&["10.2.5.0/24"]),
        &texts(&["10.2.5.254", "10.1.0.1"]),
        &aux,
    )
    .unwrap();
    assert_eq!(made[0].gateway, "10.1.0.1");
    assert_eq!(made[1].aux_addresses["router"], "fd00:1::5");
    assert_eq!(
        (made[2].ip_range.as_str(), made[2].gateway.as_str()),
        ("10.2.5.0/24", "10.2.5.254")
    );
}

#[test]
fn what_fits_nowhere_is_refused_as_docker_does() {
    let refused = |subnets: &[&str], ranges: &[&str], gateways: &[&str]| {
        let made = pools(&texts(subnets), &texts(ranges), &texts(gateways), &[]);
        made.unwrap_err().to_string()
    };
    for (error, text) in [
        (
            refused(&[], &[], &["10.1.0.1"]),
            "every ip-range or gateway must have a corresponding subnet",
        ),
        (
            refused(&["10.1.0.0/16", "10.1.4.0/24"], &[], &[]),
            "multiple overlapping subnet configuration is not supported",
        ),
        (
            refused(&["10.1.0.0/16"], &["10.2.0.0/24"], &[]),
            "no matching subnet for range 10.2.0.0/24",
        ),
        (
            refused(&["10.1.0.0/16"], &[], &["fd00::1"]),
            "no matching subnet for gateway fd00::1",
        ),
        (
            refused(
                &["10.1.0.0/16", "10.2.0.0/16"],
                &[],
                &["10.1.0.1", "10.1.0.2"],
            ),
            "cannot configure multiple gateways (10.1.0.2, 10.1.0.1) on the same subnet (10.1.0.0/16)",
        ),
        (
            refused(&["10.1.0.0"], &[], &[]),
            "invalid subnet 10.1.0.0: expected ADDRESS/PREFIX",
        ),
        (
            refused(&["10.1.0.0/33"], &[], &[]),
            "invalid subnet 10.1.0.0/33: expected ADDRESS/PREFIX",
        ),
    ] {
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn all_addresses_are_a_subnet_too() {
    assert_eq!(
        pools(&texts(&["0.0.0.0/0"]), &[], &texts(&["9.9.9.9"]), &[])
            .unwrap()
            .len(),
        1
    );
    assert_eq!(pools(&[], &[], &[], &[]).unwrap(), []);
}
