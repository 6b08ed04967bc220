#![allow(clippy::disallowed_methods, reason = "tests break files on purpose")]

use std::collections::BTreeMap;
use std::fs::{self, File};

use super::*;

struct Place {
    dir: tempfile::TempDir,
    table: Table,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["run", "front", "back"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let table = Table::new(File::open(dir.path().join("run")).unwrap().into());
        Self { dir, table }
    }

    fn give(&self, network: &str, id: &str, v4: &str, names: &[&str]) {
        let directory = Directory::open(File::open(self.dir.path()).unwrap(), network).unwrap();
        let owner = Owner {
            id: id.to_owned(),
            v4: Some(v4.parse().unwrap()),
            v6: None,
        };
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        directory.give(&owner, &names).unwrap();
    }

    fn write(&self, scopes: &[&str], links: &[(&str, &str)]) {
        let links: BTreeMap<String, String> = links
            .iter()
            .map(|&(a, b)| (a.to_owned(), b.to_owned()))
            .collect();
        let scope = |name: &&str| Scope {
            network: (*name).to_owned(),
            directory: format!("../{name}"),
            links: links.clone(),
        };
        let resolution = Resolution {
            v: Resolution::VERSION,
            scopes: scopes.iter().map(scope).collect(),
            servers: Vec::new(),
            hosts: [(
                "host.docker.internal".to_owned(),
                vec!["10.9.0.1".parse().unwrap()],
            )]
            .into(),
        };
        resolution
            .write(File::open(self.dir.path().join("run")).unwrap())
            .unwrap();
    }

    fn name(&mut self, name: &str) -> Found {
        self.table.look_up(&Asked::Name(name.to_owned()))
    }

    fn address(&mut self, address: &str) -> Found {
        self.table
            .look_up(&Asked::Address(address.parse().unwrap()))
    }
}

fn at(addresses: &[&str]) -> Found {
    Found::Addresses(addresses.iter().map(|a| a.parse().unwrap()).collect())
}

#[test]
fn names_are_those_of_the_containers_networks() {
    let mut place = Place::new();
    place.give("front", "a", "10.0.0.2", &["web"]);
    place.give("back", "b", "10.1.0.2", &["db"]);
    assert_eq!(place.name("web"), Found::Nothing);
    place.write(&["front"], &[]);
    assert_eq!(place.name("web"), at(&["10.0.0.2"]));
    assert_eq!(place.name("db"), Found::Nothing);
    assert_eq!(place.address("10.1.0.2"), Found::Nothing);
    place.write(&["front", "back"], &[]);
    assert_eq!(place.name("db"), at(&["10.1.0.2"]));
    assert_eq!(place.name("db.back"), at(&["10.1.0.2"]));
    assert_eq!(place.name("db.front"), Found::Nothing);
    assert_eq!(place.name(".back"), Found::Nothing);
    assert_eq!(place.address("10.1.0.2"), Found::Name("db.back".to_owned()));
    // Who comes is known at once.
    place.give("back", "c", "10.1.0.3", &["db2", "db"]);
    assert_eq!(place.name("db"), at(&["10.1.0.2", "10.1.0.3"]));
}

#[test]
fn links_are_the_containers_own_names() {
    let mut place = Place::new();
    place.give("front", "a", "10.0.0.2", &["web"]);
    place.write(&["front"], &[("server", "web")]);
    assert_eq!(place.name("server"), at(&["10.0.0.2"]));
    assert_eq!(place.name("server.front"), at(&["10.0.0.2"]));
    assert_eq!(place.name("host.docker.internal"), at(&["10.9.0.1"]));
    assert_eq!(
        place.address("10.9.0.1"),
        Found::Name("host.docker.internal".to_owned())
    );
}

#[test]
fn a_lost_file_says_nothing_and_a_broken_one_fails() {
    let mut place = Place::new();
    place.give("front", "a", "10.0.0.2", &["web"]);
    place.write(&["front"], &[]);
    assert_eq!(place.name("web"), at(&["10.0.0.2"]));
    let file = place.dir.path().join("run/names");
    fs::remove_file(&file).unwrap();
    assert_eq!(place.name("web"), Found::Nothing);
    fs::write(&file, "{").unwrap();
    assert_eq!(place.name("web"), Found::Failure);
    place.write(&["front"], &[]);
    assert_eq!(place.name("web"), at(&["10.0.0.2"]));
}
