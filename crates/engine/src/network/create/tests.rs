#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn request(name: &str) -> NetworkRequest {
    NetworkRequest {
        name: name.to_owned(),
        ..NetworkRequest::default()
    }
}

fn subnet_of(text: &str) -> PoolRequest {
    PoolRequest {
        subnet: text.to_owned(),
        ..PoolRequest::default()
    }
}

#[test]
fn names_are_words_that_mean_nothing_else() {
    for good in ["web", "project_default", "a.b-c", "Ünï", "two words"] {
        assert!(plan(&request(good)).is_ok(), "{good}");
    }
    for (bad, kind) in [
        ("", Kind::InvalidParameter),
        ("  ", Kind::InvalidParameter),
        ("a/b", Kind::InvalidParameter),
        ("container:web", Kind::InvalidParameter),
        ("a\nb", Kind::InvalidParameter),
        ("-x", Kind::InvalidParameter),
        ("bridge", Kind::Forbidden),
        ("default", Kind::Forbidden),
        ("none", Kind::Forbidden),
    ] {
        assert_eq!(plan(&request(bad)).unwrap_err().kind, kind, "{bad:?}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let refused = |change: fn(&mut NetworkRequest)| {
        let mut asked = request("web");
        change(&mut asked);
        plan(&asked).unwrap_err().to_string()
    };
    assert!(refused(|r| r.driver = "host".into()).contains("only one instance of \"host\""));
    assert!(refused(|r| r.driver = "none".into()).contains("only one instance of \"null\""));
    assert!(refused(|r| r.driver = "nope".into()).contains("could not find plugin nope"));
    assert!(refused(|r| r.ipam_driver = "dhcp".into()).contains("dhcp"));
    assert_eq!(
        refused(|r| r.pools.push(subnet_of("10.1.2.3/24"))),
        "invalid subnet 10.1.2.3/24: it should be 10.1.2.0/24"
    );
    assert_eq!(
        refused(|r| r.pools.push(subnet_of("10.1.2.0"))),
        "invalid subnet 10.1.2.0: invalid CIDR block notation"
    );
    assert!(
        refused(|r| {
            r.options.insert(
                "com.docker.network.bridge.gateway_mode_ipv4".into(),
                "isolated".into(),
            );
        })
        .contains("can only be used for an internal network")
    );
}

#[test]
fn families_follow_what_is_said_and_what_is_there() {
    let of = |change: fn(&mut NetworkRequest), host_v6| {
        let mut asked = request("web");
        change(&mut asked);
        let network = plan(&asked).unwrap();
        families(&asked, &network, host_v6)
    };
    let both = vec![Family::V4, Family::V6];
    assert_eq!(of(|_| (), true).unwrap(), both);
    assert_eq!(of(|_| (), false).unwrap(), [Family::V4]);
    assert_eq!(of(|r| r.ipv6 = Some(false), true).unwrap(), [Family::V4]);
    assert_eq!(of(|r| r.ipv4 = Some(false), true).unwrap(), [Family::V6]);
    // A LAN's own IPv6 is not ours to make up.
    assert_eq!(
        of(|r| r.driver = "macvlan".into(), true).unwrap(),
        [Family::V4]
    );
    assert!(of(|r| r.ipv6 = Some(true), false).is_err());
    let nothing = |r: &mut NetworkRequest| (r.ipv4, r.ipv6) = (Some(false), Some(false));
    assert_eq!(
        of(nothing, true).unwrap_err().to_string(),
        "IPv4 or IPv6 must be enabled"
    );
    let off = |r: &mut NetworkRequest| {
        r.ipv6 = Some(false);
        r.pools.push(subnet_of("fd00:1::/64"));
    };
    assert!(of(off, true).is_err());
}

#[test]
fn subnets_keep_off_each_other() {
    let mut asked = request("web");
    asked.pools = vec![subnet_of("10.1.0.0/16"), subnet_of("10.1.4.0/24")];
    let error = complete(plan(&asked).unwrap().pools, &[]).unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    asked.pools.pop();
    let mut other = plan(&asked).unwrap();
    other.pools = complete(other.pools, &[]).unwrap();
    assert_eq!(other.pools[0].gateway, Some([10, 1, 0, 1].into()));
    let error = complete(other.pools.clone(), &[other]).unwrap_err();
    assert!(error.to_string().contains("of network web"), "{error}");
}
