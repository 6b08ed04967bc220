#![allow(clippy::unwrap_used, reason = "tests")]

use jiff::Timestamp;

use super::*;

fn event(kind: &str, action: &str, attributes: &[(&str, &str)]) -> Event {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Event {
        time: Timestamp::UNIX_EPOCH,
        kind: kind.to_owned(),
        action: action.to_owned(),
        id: "4f66ad9a0b2e".to_owned(),
        attributes: attributes.iter().map(pair).collect(),
    }
}

fn filters(terms: &[(&str, &str)]) -> EventFilters {
    let mut filters = EventFilters::default();
    for (key, value) in terms {
        filters.add(*key, *value);
    }
    filters
}

#[test]
fn every_key_must_match_and_of_its_values_one() {
    let web = event(
        "container",
        "health_status: healthy",
        &[
            ("name", "web"),
            ("image", "registry:5000/nginx:1.27"),
            ("tier", "front"),
        ],
    );
    for (terms, admitted) in [
        (&[][..], true),
        (&[("type", "container")], true),
        (&[("type", "image")], false),
        (&[("type", "image"), ("type", "container")], true),
        (&[("container", "web")], true),
        (&[("container", "/web")], true),
        (&[("container", "4f66")], true),
        (&[("container", "other")], false),
        (&[("network", "web")], false),
        (&[("event", "health_status")], true),
        (&[("event", "health_status: healthy")], true),
        (&[("event", "health_status: unhealthy")], false),
        (&[("event", "start")], false),
        (&[("image", "registry:5000/nginx")], true),
        (&[("image", "registry:5000/nginx:1.27")], true),
        (&[("image", "nginx")], false),
        (&[("label", "tier")], true),
        (&[("label", "tier=front"), ("label", "other")], false),
        (&[("scope", "local")], true),
        (&[("scope", "swarm")], false),
        (&[("daemon", "web")], false),
        (&[("type", "container"), ("container", "other")], false),
    ] {
        assert_eq!(filters(terms).admit(&web), admitted, "{terms:?}");
    }
}

#[test]
fn an_images_own_events_are_found_by_its_name() {
    let tag = event("image", "tag", &[("name", "busybox:1.36")]);
    assert!(filters(&[("image", "busybox")]).admit(&tag));
    assert!(filters(&[("image", "busybox:1.36"), ("event", "tag")]).admit(&tag));
    assert!(!filters(&[("container", "busybox")]).admit(&tag));
}
