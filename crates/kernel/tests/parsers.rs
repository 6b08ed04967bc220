//! Whatever text the kernel, a file or a configuration has, it is read or refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use kernel::cgroup::{CgroupPath, Layout, Plan, Resources, Throttle, WeightDevice};
use kernel::mountinfo;
use kernel::scheduling::parse_list;
use kernel::user::Users;
use proptest::prelude::*;

/// A line as proc_pid_mountinfo(5) has it, or nearly.
fn line() -> impl Strategy<Value = String> {
    let word = "[a-z0-9/\\\\:=,._-]{0,12}";
    let kind = prop::sample::select(vec!["cgroup", "cgroup2", "ext4", "proc", ""]);
    let options = prop::sample::select(vec![
        "rw,cpu,cpuacct",
        "rw,memory",
        "rw,name=systemd",
        "rw",
        "",
        ",,",
    ]);
    (any::<u32>(), any::<u32>(), word, word, word, kind, options).prop_map(
        |(id, parent, device, root, point, kind, options)| {
            format!("{id} {parent} {device} /{root} /{point} rw shared:1 - {kind} source {options}")
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_read_as_mounts(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(mountinfo::parse(&bytes));
    }

    #[test]
    fn mounts_make_a_layout(lines in prop::collection::vec(line(), 0..12), own in "\\PC{0,80}", offered in "[a-z ]{0,40}") {
        let mounts = mountinfo::parse(lines.join("\n").as_bytes());
        let layout = Layout::from_parts(&mounts, &own, &offered);
        prop_assert!(layout.hierarchies.len() <= mounts.len());
    }

    #[test]
    fn users_are_found_or_not(passwd in "[a-z:0-9\n\\PC]{0,200}", group in "[a-z:,0-9\n]{0,200}", name in "[a-z0-9]{0,4}") {
        let users = Users::from_bytes(passwd.into_bytes(), group.into_bytes());
        if let Some(user) = users.by_name(&name) {
            prop_assert_eq!(user.name, name.clone());
        }
        drop((users.by_uid(0), users.group(&name), users.groups_of(&name)));
    }

    #[test]
    fn lists_are_sorted_and_bounded(text in "[0-9,-]{0,40}") {
        if let Some(list) = parse_list(&text, 64) {
            prop_assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(list.iter().all(|number| *number < 64));
        }
    }

    #[test]
    fn paths_of_groups_stay_below(text in "[a./\\PC]{0,30}") {
        if let Ok(path) = CgroupPath::parse(&text) {
            let shown = path.to_string();
            prop_assert!(shown.split('/').skip(1).all(|name| !matches!(name, "" | "." | "..")));
        }
    }

    #[test]
    fn limits_are_planned_or_refused(
        numbers in prop::array::uniform8(prop::option::of(any::<i64>())),
        lists in prop::array::uniform2("[0-9,\n -]{0,12}"),
        names in prop::array::uniform3("[a-z.\n =/]{0,14}"),
        rate in any::<(u32, u32, u64)>(),
        weight in any::<u16>(),
        v2 in any::<bool>(),
    ) {
        let mounts: &[u8] = if v2 {
            b"30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
        } else {
            b"31 20 0:27 / /c/cpu rw - cgroup cgroup rw,cpu,cpuacct\n32 20 0:28 / /c/m rw - cgroup cgroup rw,memory,hugetlb,net_prio\n33 20 0:29 / /c/b rw - cgroup cgroup rw,blkio,pids,cpuset"
        };
        let all = "cpuset cpu io memory hugetlb pids rdma misc";
        let layout = Layout::from_parts(&mountinfo::parse(mounts), "0::/", all);
        let [limit, swap, reservation, quota, pids, idle, realtime, tcp] = numbers;
        let [cpus, mems] = lists;
        let [unified, size, interface] = names;
        let (major, minor, rate) = rate;
        let resources = Resources {
            memory_limit: limit,
            memory_swap: swap,
            memory_reservation: reservation,
            memory_kernel_tcp: tcp,
            cpu_quota: quota,
            cpu_idle: idle,
            cpu_realtime_runtime: realtime.filter(|_| !v2),
            pids_limit: pids,
            cpuset_cpus: cpus,
            cpuset_mems: mems,
            io_read_bps: vec![Throttle { major, minor, rate }],
            io_weight_device: vec![WeightDevice { major, minor, weight: Some(weight), leaf_weight: None }],
            huge_pages: vec![kernel::cgroup::HugePageLimit { page_size: size, limit: rate }],
            net_priorities: vec![kernel::cgroup::InterfacePriority { interface, priority: major }],
            unified: vec![(unified, "1".to_owned())],
            ..Resources::default()
        };
        for half in [
            Resources { huge_pages: Vec::new(), net_priorities: Vec::new(), unified: Vec::new(), ..resources.clone() },
            resources,
        ] {
            if let Ok(plan) = Plan::new(&half, &layout) {
                for write in plan.writes {
                    prop_assert!(!write.file.contains(['/', '\0', '\n']), "{}", write.file);
                    prop_assert!(!write.value.contains(['\0', '\n']), "{}", write.value);
                }
            }
        }
    }
}
