use std::collections::BTreeMap;

use spec::runtime::{Linux, Namespace, NamespaceKind, Spec};

use super::{Setting, plan};

fn spec(kinds: &[NamespaceKind]) -> Spec {
    let namespaces = kinds.iter().map(|&k| Namespace::new(k)).collect();
    Spec {
        linux: Some(Linux {
            namespaces,
            ..Linux::default()
        }),
        ..Spec::default()
    }
}

fn planned(name: &str, value: &str, kinds: &[NamespaceKind]) -> Option<Vec<Setting>> {
    let asked = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    plan(&asked, &spec(kinds)).ok()
}

const ALL: [NamespaceKind; 4] = [
    NamespaceKind::Network,
    NamespaceKind::Ipc,
    NamespaceKind::Uts,
    NamespaceKind::User,
];

#[test]
fn parameters_of_own_namespaces_are_set() {
    for (name, path, kind) in [
        (
            "net.ipv4.ip_forward",
            "net/ipv4/ip_forward",
            NamespaceKind::Network,
        ),
        (
            "net/ipv4/ip_forward",
            "net/ipv4/ip_forward",
            NamespaceKind::Network,
        ),
        (
            "net/ipv4/conf/eth0.1/forwarding",
            "net/ipv4/conf/eth0.1/forwarding",
            NamespaceKind::Network,
        ),
        ("kernel.msgmax", "kernel/msgmax", NamespaceKind::Ipc),
        ("fs.mqueue.msg_max", "fs/mqueue/msg_max", NamespaceKind::Ipc),
        ("kernel.domainname", "kernel/domainname", NamespaceKind::Uts),
        (
            "user.max_user_namespaces",
            "user/max_user_namespaces",
            NamespaceKind::User,
        ),
    ] {
        let settings = planned(name, "1", &[kind]).unwrap();
        assert_eq!(
            settings,
            [Setting {
                path: path.to_owned(),
                value: "1".to_owned()
            }]
        );
        // Without the namespace it would be the host's (GHSA-w2j5, CVE-2022-0532).
        assert_eq!(planned(name, "1", &[]), None, "{name}");
    }
}

#[test]
fn parameters_of_the_host_are_refused() {
    for name in [
        "kernel.core_pattern",
        "kernel/core_pattern",
        "kernel.hostname",
        "kernel.shm_rmid_forced/x",
        "kernel.shm_rmid_forced=1+kernel.core_pattern",
        "kernel.shm_rmid_forced+kernel.core_pattern",
        "net/ipv4/../../kernel/core_pattern",
        "net.ipv4.../x",
        "net/ipv4//x",
        "net",
        "",
        "vm.overcommit_memory",
        "fs.mqueue",
        "fs.file-max",
        "net.a\nb",
        "net.a\0b",
    ] {
        assert_eq!(planned(name, "1", &ALL), None, "{name:?}");
    }
    assert_eq!(planned("kernel.sem", "1\n2", &ALL), None);
    assert_eq!(planned("kernel.sem", "1\0", &ALL), None);
}
