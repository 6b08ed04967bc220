#![allow(clippy::disallowed_methods, reason = "tests break files on purpose")]

use std::fs::File;

use super::*;

fn owner(id: &str, last: u8) -> Owner {
    Owner {
        id: id.to_owned(),
        v4: Some([10, 0, 0, last].into()),
        v6: Some([0xfd00, 0, 0, 0, 0, 0, 0, last.into()].into()),
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Directory {
        Directory::open(File::open(self.0.path()).unwrap(), ".").unwrap()
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(self.0.path()).unwrap().next().is_none()
    }
}

#[test]
fn a_name_has_owners_in_the_order_they_came_and_none_when_they_went() {
    let place = Place::new();
    let directory = place.open();
    let (one, two) = (owner("one", 1), owner("two", 2));
    directory.give(&one, &names(&["first", "web"])).unwrap();
    directory.give(&two, &names(&["second", "web"])).unwrap();
    directory.give(&two, &names(&["second", "web"])).unwrap();
    assert_eq!(directory.owners("web").unwrap(), [one.clone(), two.clone()]);
    assert_eq!(
        directory.owners("first").unwrap(),
        std::slice::from_ref(&one)
    );
    assert_eq!(directory.owners("third").unwrap(), []);
    let address = "fd00::2".parse().unwrap();
    assert_eq!(
        directory.name_of(address).unwrap().as_deref(),
        Some("second")
    );
    directory.take(&one, &names(&["first", "web"])).unwrap();
    directory.take(&one, &names(&["first", "web"])).unwrap();
    assert_eq!(directory.owners("web").unwrap(), std::slice::from_ref(&two));
    directory.take(&two, &names(&["second", "web"])).unwrap();
    assert!(place.is_empty());
}

#[test]
fn an_address_that_is_anothers_by_now_keeps_its_name() {
    let place = Place::new();
    let directory = place.open();
    directory.give(&owner("old", 1), &names(&["old"])).unwrap();
    directory.give(&owner("new", 1), &names(&["new"])).unwrap();
    directory.take(&owner("old", 1), &names(&["old"])).unwrap();
    let name = directory.name_of([10, 0, 0, 1].into()).unwrap();
    assert_eq!(name.as_deref(), Some("new"));
}

#[test]
fn a_name_may_have_more_owners_than_a_link_can_name() {
    let place = Place::new();
    let directory = place.open();
    let all: Vec<Owner> = (0..200).map(|n| owner(&format!("{n:064}"), n)).collect();
    for one in &all {
        directory.give(one, &names(&["web"])).unwrap();
    }
    assert_eq!(directory.owners("web").unwrap(), all);
    for one in &all[..199] {
        directory.take(one, &names(&["web"])).unwrap();
    }
    assert_eq!(directory.owners("web").unwrap(), all[199..]);
}

#[test]
fn what_is_no_name_has_no_entry() {
    let place = Place::new();
    let directory = place.open();
    let bad = names(&["..", "a/b", "", "@10.0.0.1", "~x", &"x".repeat(254)]);
    directory
        .give(
            &Owner {
                id: "x".to_owned(),
                v4: None,
                v6: None,
            },
            &bad,
        )
        .unwrap();
    assert!(place.is_empty());
    for name in bad {
        assert_eq!(directory.owners(&name).unwrap(), []);
    }
}

#[test]
fn what_a_killed_writer_left_is_in_nobodys_way() {
    let place = Place::new();
    let directory = place.open();
    std::fs::write(place.0.path().join("~web"), "half").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.0.path().join("~names")).unwrap();
    directory.give(&owner("one", 1), &names(&["web"])).unwrap();
    assert_eq!(directory.owners("web").unwrap().len(), 1);
    let run_dir = File::open(place.0.path()).unwrap();
    let written = Resolution {
        v: Resolution::VERSION,
        ..Resolution::default()
    };
    assert_eq!(Resolution::stamp(&run_dir).unwrap(), None);
    written.write(&run_dir).unwrap();
    let first = Resolution::stamp(&run_dir).unwrap();
    assert_eq!(Resolution::read(&run_dir).unwrap(), written);
    written.write(&run_dir).unwrap();
    assert_ne!(Resolution::stamp(&run_dir).unwrap(), first);
}

#[test]
fn damage_takes_only_what_it_hit() {
    let place = Place::new();
    std::os::unix::fs::symlink(
        "a,10.0.0.1, nonsense b,,x c,,fd00::1",
        place.0.path().join("web"),
    )
    .unwrap();
    let owners = place.open().owners("web").unwrap();
    let ids: Vec<&str> = owners.iter().map(|owner| owner.id.as_str()).collect();
    assert_eq!(ids, ["a", "c"]);
}
