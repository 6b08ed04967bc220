use spec::profile;
use spec::runtime::{Linux, Mount, Root, Spec};

use super::options::{self, Change, Depth, Propagation, attr};
use super::plan::{Dev, Place, What, clean, plan};
use super::root::RootPlan;

fn parsed(list: &[&str]) -> options::Options {
    options::parse(&list.iter().map(|&o| o.to_owned()).collect::<Vec<_>>()).unwrap()
}

fn with(mounts: Vec<Mount>) -> Spec {
    Spec {
        mounts,
        ..Spec::default()
    }
}

fn bind(destination: &str) -> Mount {
    Mount {
        source: "/v".to_owned(),
        ..profile::mount(destination, "bind", &["rbind", "rprivate"])
    }
}

#[test]
fn options_are_attributes_propagation_and_data() {
    let options = parsed(&[
        "rbind", "ro", "nosuid", "rro", "rslave", "size=5m", "huge", "x-note", "defaults",
    ]);
    assert_eq!(options.bind, Some(Depth::All));
    assert_eq!(
        options.attr,
        Change {
            set: attr::RDONLY | attr::NOSUID,
            clear: 0
        }
    );
    assert_eq!(
        options.recursive,
        Change {
            set: attr::RDONLY,
            clear: 0
        }
    );
    assert_eq!(options.propagation, Some((Propagation::Slave, Depth::All)));
    let data = [
        ("size".to_owned(), Some("5m".to_owned())),
        ("huge".to_owned(), None),
    ];
    assert_eq!(options.data, data);
}

#[test]
fn the_last_option_wins() {
    assert_eq!(
        parsed(&["ro", "rw"]).attr,
        Change {
            set: 0,
            clear: attr::RDONLY
        }
    );
    assert_eq!(
        parsed(&["rw", "ro"]).attr,
        Change {
            set: attr::RDONLY,
            clear: 0
        }
    );
    // The bits of access times are one field, which is cleared as a whole.
    assert_eq!(
        parsed(&["noatime", "strictatime"]).attr,
        Change {
            set: attr::STRICTATIME,
            clear: attr::ATIME
        }
    );
    assert_eq!(
        parsed(&["strictatime", "relatime"]).attr,
        Change {
            set: 0,
            clear: attr::ATIME
        }
    );
}

#[test]
fn names_that_begin_with_r_are_not_all_recursive() {
    assert_eq!(parsed(&["relatime"]).recursive, Change::default());
    assert_eq!(
        parsed(&["rrelatime"]).recursive,
        Change {
            set: 0,
            clear: attr::ATIME
        }
    );
    assert_eq!(
        parsed(&["rprivate"]).propagation,
        Some((Propagation::Private, Depth::All))
    );
    assert_eq!(parsed(&["rw"]).recursive, Change::default());
}

#[test]
fn the_default_mounts_keep_their_order_but_for_cgroups() {
    let plan = plan(&with(profile::mounts())).unwrap();
    let order: Vec<&str> = plan.steps.iter().map(|s| s.destination.as_str()).collect();
    assert_eq!(
        order,
        [
            "/proc",
            "/dev",
            "/dev/pts",
            "/sys",
            "/dev/mqueue",
            "/dev/shm",
            "/sys/fs/cgroup"
        ]
    );
    assert_eq!(plan.dev, Dev::Filled);
    assert_eq!(plan.steps[0].place, Place::ProcRoot);
    assert_eq!(plan.steps[1].place, Place::Fixed);
    assert_eq!(plan.steps[6].what, What::Cgroup);
}

#[test]
fn cgroups_stay_before_what_is_mounted_in_them() {
    let mut mounts = profile::mounts();
    mounts.push(bind("/sys/fs/cgroup/../cgroup/mine"));
    let plan = plan(&with(mounts)).unwrap();
    assert_eq!(plan.steps[4].what, What::Cgroup);
}

#[test]
fn a_bound_dev_is_left_alone() {
    for path in ["/dev", "/dev/", "//dev/.", "/x/../dev"] {
        assert_eq!(
            plan(&with(vec![bind(path)])).unwrap().dev,
            Dev::Bound,
            "{path}"
        );
    }
    assert_eq!(plan(&with(vec![bind("/dev/x")])).unwrap().dev, Dev::Filled);
}

#[test]
fn procfs_is_covered_by_nothing() {
    let refused = [
        "/proc/self",
        "/proc/self/attr",
        "/proc/1",
        "/proc/sys",
        "/etc/../proc/self",
        "//proc/./sys/kernel",
        "proc/self",
    ];
    for path in refused {
        assert!(plan(&with(vec![bind(path)])).is_err(), "{path}");
    }
    for path in [
        "/proc/cpuinfo",
        "/proc/uptime",
        "/proc/sys/kernel/ns_last_pid",
    ] {
        let plan = plan(&with(vec![bind(path)])).unwrap();
        assert_eq!(plan.steps[0].place, Place::ProcFile, "{path}");
    }
    assert!(plan(&with(vec![profile::mount("/proc", "tmpfs", &[])])).is_err());
    assert!(plan(&with(vec![profile::mount("/proc/cpuinfo", "tmpfs", &[])])).is_err());
    // A bind of a procfs root is told from others when it is opened.
    assert_eq!(
        plan(&with(vec![bind("/proc")])).unwrap().steps[0].place,
        Place::ProcRoot
    );
}

#[test]
fn malformed_mounts_are_refused() {
    let relative = Mount {
        source: "v".to_owned(),
        ..bind("/x")
    };
    let mapped = Mount {
        uid_mappings: vec![spec::runtime::IdMapping::default()],
        ..bind("/x")
    };
    for mount in [
        bind(""),
        bind("/"),
        bind("/x/.."),
        bind("/a\0b"),
        relative,
        mapped,
        profile::mount("/x", "", &[]),
        profile::mount("/x", "tmpfs", &["idmap"]),
        profile::mount("/x", "cgroup", &["ridmap"]),
    ] {
        assert!(plan(&with(vec![mount.clone()])).is_err(), "{mount:?}");
    }
}

#[test]
fn paths_are_cleaned_as_if_there_were_no_links() {
    for (path, cleaned) in [
        ("", "/"),
        ("a", "/a"),
        ("/../a/./b//", "/a/b"),
        ("/a/b/../../..", "/"),
    ] {
        assert_eq!(clean(path), cleaned);
    }
}

#[test]
fn the_hosts_mounts_spread_no_further_than_asked() {
    let root = |propagation: &str, option: &str| {
        let mut mount = bind("/v");
        mount.options = vec!["rbind".to_owned(), option.to_owned()];
        let spec = Spec {
            root: Some(Root {
                path: "r".to_owned(),
                readonly: true,
            }),
            linux: Some(Linux {
                rootfs_propagation: propagation.to_owned(),
                ..Linux::default()
            }),
            ..with(vec![mount])
        };
        RootPlan::new(&spec, &plan(&spec).unwrap()).map(|r| format!("{r:?}"))
    };
    let host = |propagation, option| {
        root(propagation, option)
            .unwrap()
            .split(", root")
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(host("", "rprivate"), "RootPlan { host: Some(Private)");
    assert_eq!(host("", "rslave"), "RootPlan { host: Some(Slave)");
    assert_eq!(host("", "rshared"), "RootPlan { host: None");
    assert_eq!(host("rslave", "rprivate"), "RootPlan { host: Some(Slave)");
    assert_eq!(host("shared", "rprivate"), "RootPlan { host: None");
    assert!(root("sometimes", "rprivate").is_err());
}
