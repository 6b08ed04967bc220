use std::net::IpAddr;

use proptest::prelude::*;

use super::{Mac, Subnet};

fn subnet(text: &str) -> Subnet {
    text.parse().unwrap()
}

#[test]
fn host_bits_are_cut_off() {
    assert_eq!(subnet("10.1.2.3/8").to_string(), "10.0.0.0/8");
    assert_eq!(subnet("fd00::1/64").to_string(), "fd00::/64");
    assert_eq!(subnet("0.0.0.0/0").last().to_string(), "255.255.255.255");
    assert_eq!(
        subnet("::/0").last().to_string(),
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    );
}

#[test]
fn what_is_no_subnet_is_refused() {
    for text in [
        "",
        "10.0.0.0",
        "10.0.0.0/33",
        "fd00::/129",
        "x/8",
        "10.0.0.0/-1",
        "10.0.0.0/",
    ] {
        assert!(text.parse::<Subnet>().is_err(), "{text}");
    }
}

#[test]
fn subnets_know_what_they_share() {
    assert!(subnet("10.0.0.0/8").overlaps(&subnet("10.2.0.0/16")));
    assert!(subnet("10.2.0.0/16").overlaps(&subnet("10.0.0.0/8")));
    assert!(!subnet("10.2.0.0/16").overlaps(&subnet("10.3.0.0/16")));
    assert!(!subnet("0.0.0.0/0").overlaps(&subnet("::/0")));
    assert!(subnet("10.0.0.0/8").includes(&subnet("10.2.0.0/16")));
    assert!(!subnet("10.2.0.0/16").includes(&subnet("10.0.0.0/8")));
}

#[test]
fn link_addresses() {
    assert_eq!(
        "02:42:AC-11:00:02".parse::<Mac>().unwrap().to_string(),
        "02:42:ac:11:00:02"
    );
    for text in [
        "",
        "02:42:ac:11:00",
        "02:42:ac:11:00:02:03",
        "01:00:5e:00:00:01",
        "00:00:00:00:00:00",
        "2:42:ac:11:0:2",
    ] {
        assert!(text.parse::<Mac>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn first_and_last_lie_in_it_and_their_neighbours_do_not(a: u32, prefix in 1u8..=32) {
        let subnet = Subnet::new(IpAddr::from(a.to_be_bytes()), prefix).unwrap();
        prop_assert!(subnet.contains(subnet.address()) && subnet.contains(subnet.last()));
        let (IpAddr::V4(first), IpAddr::V4(last)) = (subnet.address(), subnet.last()) else { unreachable!() };
        if let Some(below) = first.to_bits().checked_sub(1) {
            prop_assert!(!subnet.contains(IpAddr::from(below.to_be_bytes())));
        }
        if let Some(above) = last.to_bits().checked_add(1) {
            prop_assert!(!subnet.contains(IpAddr::from(above.to_be_bytes())));
        }
    }

    #[test]
    fn text_is_read_as_it_was_written(bytes: [u8; 16], prefix in 0u8..=128) {
        let subnet = Subnet::new(IpAddr::from(bytes), prefix).unwrap();
        prop_assert_eq!(subnet.to_string().parse::<Subnet>().unwrap(), subnet);
    }
}
