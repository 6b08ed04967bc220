use super::device::Table;
use super::plan::{io_weight, weight_of_shares};
use super::{
    Access, CgroupPath, Controller, DeviceKind, DeviceRule, HugePageLimit, Layout, Mode, Permit,
    Plan, Resources, Throttle, Version,
};
use crate::mountinfo;
use crate::raw::bpf::Instruction;

const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
38 31 0:35 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio
39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
42 31 0:32 / /other/memory rw - cgroup cgroup rw,memory
";

fn hybrid() -> Layout {
    let own = "4:memory:/jobs/x\n2:cpu,cpuacct:/\n1:name=systemd:/s\n0::/u\n";
    Layout::from_parts(&mountinfo::parse(HYBRID.as_bytes()), own, "hugetlb memory")
}

fn unified() -> Layout {
    let mounts = "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
    let offered = "cpuset cpu io memory hugetlb pids rdma misc\n";
    Layout::from_parts(
        &mountinfo::parse(mounts.as_bytes()),
        "0::/user.slice\n",
        offered,
    )
}

fn nothing() -> Layout {
    let mounts = "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
    Layout::from_parts(&mountinfo::parse(mounts.as_bytes()), "", "")
}

fn writes(resources: &Resources, layout: &Layout) -> String {
    let plan = match Plan::new(resources, layout) {
        Ok(plan) => plan,
        Err(error) => return format!("{error}: {}", error.source),
    };
    let lines = plan
        .writes
        .iter()
        .map(|it| format!("{}={}", it.file, it.value));
    lines.collect::<Vec<_>>().join(" ")
}

#[test]
fn layouts() {
    let layout = hybrid();
    assert_eq!(layout.mode(), Mode::Hybrid);
    assert_eq!(layout.hierarchies.len(), 9);
    assert_eq!(layout.version_of(Controller::Memory), Some(Version::V1));
    assert_eq!(layout.version_of(Controller::HugeTlb), Some(Version::V2));
    assert_eq!(layout.version_of(Controller::Rdma), None);
    let memory = layout.hierarchy_of(Controller::Memory).unwrap();
    assert_eq!(
        (memory.own.as_str(), memory.mount.to_str().unwrap()),
        ("/jobs/x", "/sys/fs/cgroup/memory")
    );
    assert_eq!(
        layout
            .hierarchy_of(Controller::CpuAcct)
            .unwrap()
            .controllers
            .len(),
        2
    );
    assert_eq!(layout.unified().unwrap().own, "/u");

    let layout = unified();
    assert_eq!(layout.mode(), Mode::Unified);
    assert_eq!(layout.version_of(Controller::Freezer), Some(Version::V2));
    assert_eq!(layout.unified().unwrap().own, "/user.slice");
    assert_eq!(nothing().mode(), Mode::Legacy);
    assert_eq!(nothing().version_of(Controller::Freezer), None);
}

#[test]
fn paths() {
    let path = CgroupPath::parse("/tare/abc").unwrap();
    assert_eq!(path.to_string(), "/tare/abc");
    assert_eq!(path.ancestry().collect::<Vec<_>>(), ["tare", "tare/abc"]);
    for text in [
        "",
        "/",
        "a//b",
        "/a/",
        "..",
        "/a/../b",
        "./a",
        "a\nb",
        &"x".repeat(256),
    ] {
        assert!(CgroupPath::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn memory() {
    let memory = |limit, swap| Resources {
        memory_limit: limit,
        memory_swap: swap,
        ..Resources::default()
    };
    let mega = |count: i64| Some(count << 20);
    for (resources, old, new) in [
        (
            memory(mega(64), None),
            "memory.limit_in_bytes=67108864",
            "memory.max=67108864",
        ),
        (
            memory(mega(64), mega(96)),
            "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=100663296",
            "memory.swap.max=33554432 memory.max=67108864",
        ),
        (
            memory(mega(64), mega(64)),
            "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=67108864",
            "memory.swap.max=0 memory.max=67108864",
        ),
        (
            memory(mega(64), Some(-1)),
            "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=-1",
            "memory.swap.max=max memory.max=67108864",
        ),
        (
            memory(Some(-1), None),
            "memory.limit_in_bytes=-1 memory.memsw.limit_in_bytes=-1",
            "memory.swap.max=max memory.max=max",
        ),
        (memory(Some(0), None), "", ""),
    ] {
        assert_eq!(writes(&resources, &hybrid()), old);
        assert_eq!(writes(&resources, &unified()), new);
    }
    for wrong in [memory(None, mega(64)), memory(mega(64), mega(32))] {
        assert!(Plan::new(&wrong, &unified()).is_err());
    }
    let more = Resources {
        memory_reservation: Some(4096),
        memory_swappiness: Some(10),
        disable_oom_killer: Some(true),
        ..Resources::default()
    };
    let old = "memory.soft_limit_in_bytes=4096 memory.swappiness=10 memory.oom_control=1";
    assert_eq!(writes(&more, &hybrid()), old);
    assert_eq!(writes(&more, &unified()), "memory.low=4096");
}

#[test]
fn cpu_and_pids() {
    let resources = Resources {
        cpu_shares: Some(512),
        cpu_quota: Some(50_000),
        cpu_period: Some(100_000),
        cpuset_cpus: "0-1".to_owned(),
        pids_limit: Some(10),
        ..Resources::default()
    };
    assert_eq!(
        writes(&resources, &hybrid()),
        "cpu.shares=512 cpu.cfs_period_us=100000 cpu.cfs_quota_us=50000 cpuset.cpus=0-1 pids.max=10"
    );
    assert_eq!(
        writes(&resources, &unified()),
        "cpu.weight=59 cpu.max=50000 100000 cpuset.cpus=0-1 pids.max=10"
    );
    let only = |quota, period| Resources {
        cpu_quota: quota,
        cpu_period: period,
        ..Resources::default()
    };
    assert_eq!(
        writes(&only(Some(-1), None), &unified()),
        "cpu.max=max 100000"
    );
    assert_eq!(
        writes(&only(None, Some(5000)), &unified()),
        "cpu.max=max 5000"
    );
    assert_eq!(
        writes(&only(Some(2000), None), &unified()),
        "cpu.max=2000 100000"
    );
    let endless = Resources {
        pids_limit: Some(-1),
        ..Resources::default()
    };
    assert_eq!(writes(&endless, &hybrid()), "pids.max=max");
    assert_eq!(writes(&endless, &nothing()), "");
    let wrong = Resources {
        cpuset_cpus: "0;1".to_owned(),
        ..Resources::default()
    };
    assert!(Plan::new(&wrong, &hybrid()).is_err());
}

#[test]
fn weights() {
    // Ends, and defaults of both versions; the value between is runc's.
    for (shares, weight) in [
        (1, 1),
        (2, 1),
        (512, 59),
        (1024, 100),
        (2048, 174),
        (262_144, 10_000),
        (u64::MAX, 10_000),
    ] {
        assert_eq!(weight_of_shares(shares), weight, "{shares}");
    }
    assert_eq!(
        (io_weight(10), io_weight(100), io_weight(1000)),
        (1, 910, 10_000)
    );
}

#[test]
fn block_devices_and_large_pages() {
    let throttle = |rate| {
        vec![Throttle {
            major: 8,
            minor: 0,
            rate,
        }]
    };
    let resources = Resources {
        io_weight: Some(100),
        io_read_bps: throttle(1000),
        io_write_iops: throttle(0),
        huge_pages: vec![HugePageLimit {
            page_size: "2MB".to_owned(),
            limit: 4096,
        }],
        ..Resources::default()
    };
    assert_eq!(
        writes(&resources, &hybrid()),
        "blkio.bfq.weight=100 blkio.weight=100 blkio.throttle.read_bps_device=8:0 1000 \
         blkio.throttle.write_iops_device=8:0 0 hugetlb.2MB.max=4096 hugetlb.2MB.rsvd.max=4096"
    );
    assert_eq!(
        writes(&resources, &unified()),
        "io.bfq.weight=100 io.weight=910 io.max=8:0 rbps=1000 io.max=8:0 wiops=max \
         hugetlb.2MB.max=4096 hugetlb.2MB.rsvd.max=4096"
    );
}

#[test]
fn what_the_host_has_not_is_told_only_if_asked() {
    let ask = |resources: Resources| writes(&resources, &nothing());
    assert_eq!(ask(Resources::default()), "");
    assert_eq!(
        ask(Resources {
            memory_limit: Some(-1),
            ..Resources::default()
        }),
        ""
    );
    assert_eq!(
        ask(Resources {
            memory_limit: Some(1 << 20),
            ..Resources::default()
        }),
        "set memory limit: this host has no memory cgroup controller"
    );
    assert_eq!(
        ask(Resources {
            pids_limit: Some(5),
            ..Resources::default()
        }),
        "set pids limit: this host has no pids cgroup controller"
    );
}

#[test]
fn files_of_version_2() {
    let file = |name: &str| Resources {
        unified: vec![(name.to_owned(), "1".to_owned())],
        ..Resources::default()
    };
    assert_eq!(writes(&file("memory.high"), &unified()), "memory.high=1");
    assert!(Plan::new(&file("memory.high"), &hybrid()).is_err());
    for name in [
        "cgroup.procs",
        "../memory.high",
        "memory",
        "memory.x/../y",
        "nope.max",
    ] {
        assert!(Plan::new(&file(name), &unified()).is_err(), "{name}");
    }
}

fn device(
    permit: Permit,
    kind: DeviceKind,
    major: Option<u32>,
    minor: Option<u32>,
    access: &str,
) -> DeviceRule {
    DeviceRule {
        permit,
        kind,
        major,
        minor,
        access: Access::parse(access).unwrap(),
    }
}

fn dockers() -> Vec<DeviceRule> {
    use DeviceKind::{Block, Char};
    let mut rules = vec![DeviceRule::everything(Permit::Deny)];
    rules.push(device(Permit::Allow, Char, None, None, "m"));
    rules.push(device(Permit::Allow, Block, None, None, "m"));
    for minor in [3, 5] {
        rules.push(device(Permit::Allow, Char, Some(1), Some(minor), "rwm"));
    }
    rules.push(device(Permit::Allow, Char, Some(136), None, "rwm"));
    rules.push(device(Permit::Deny, Char, Some(10), Some(229), "rwm"));
    rules.push(device(Permit::Allow, Block, Some(8), Some(0), "r"));
    rules
}

#[test]
fn device_rules_of_version_1() {
    let resources = Resources {
        devices: dockers(),
        ..Resources::default()
    };
    let plan = Plan::new(&resources, &hybrid()).unwrap();
    assert!(plan.device_program.is_none());
    let lines: Vec<_> = plan
        .writes
        .iter()
        .map(|it| format!("{}={}", it.file, it.value))
        .collect();
    assert_eq!(
        lines.join("\n"),
        "devices.deny=a\ndevices.allow=c *:* m\ndevices.allow=b *:* m\ndevices.allow=c 1:3 rwm\n\
         devices.allow=c 1:5 rwm\ndevices.allow=c 136:* rwm\ndevices.deny=c 10:229 rwm\n\
         devices.allow=b 8:0 r"
    );
    let both = device(Permit::Allow, DeviceKind::All, Some(7), None, "rw");
    assert_eq!(both.texts(), ["b 7:* rw", "c 7:* rw"]);
    let plan = Plan::new(&resources, &unified()).unwrap();
    assert_eq!(
        (plan.writes.len(), plan.device_program),
        (0, Some(dockers()))
    );
}

/// What the kernel's interpreter does with the instructions of a device program.
fn permits(program: &[Instruction], kind: u64, access: u64, major: u64, minor: u64) -> bool {
    let mut r = [0_u64; 11];
    let mut at = 0;
    let low = |value: u64| value & 0xffff_ffff;
    loop {
        let it = program[at];
        let (to, from) = (
            usize::from(it.registers & 15),
            usize::from(it.registers >> 4),
        );
        let value = i64::from(it.immediate).cast_unsigned();
        let mut jump = |yes: bool| {
            at += if yes {
                usize::try_from(it.offset).unwrap()
            } else {
                0
            }
        };
        match it.code {
            0x61 => {
                r[to] = [access << 16 | kind, major, minor][usize::try_from(it.offset).unwrap() / 4]
            }
            0x54 => r[to] = low(r[to] & value),
            0x74 => r[to] = low(r[to]) >> value,
            0xbc => r[to] = low(r[from]),
            0xb7 => r[to] = value,
            0x55 => jump(r[to] != value),
            0x15 => jump(r[to] == value),
            0x5d => jump(r[to] != r[from]),
            0x95 => return r[0] == 1,
            code => panic!("code {code:#x}"),
        }
        at += 1;
    }
}

#[test]
fn device_program_of_version_2() {
    const BLOCK: u64 = 1;
    const CHAR: u64 = 2;
    const M: u64 = 1;
    const R: u64 = 2;
    const W: u64 = 4;
    let program = Table::of(&dockers()).program();
    for (kind, access, major, minor, permit) in [
        (CHAR, R | W, 1, 3, true),
        (CHAR, M, 1, 3, true),
        (CHAR, M, 99, 1, true),
        (CHAR, M | R, 99, 1, false),
        (CHAR, R, 1, 4, false),
        (BLOCK, R, 1, 3, false),
        (CHAR, R | W, 136, 12345, true),
        (CHAR, R, 10, 229, false),
        (BLOCK, R, 8, 0, true),
        (BLOCK, R | W, 8, 0, false),
    ] {
        assert_eq!(
            permits(&program, kind, access, major, minor),
            permit,
            "{kind} {access} {major}:{minor}"
        );
    }
    let mut open = vec![DeviceRule::everything(Permit::Allow)];
    open.push(device(Permit::Deny, DeviceKind::Char, Some(5), None, "w"));
    let program = Table::of(&open).program();
    assert!(permits(&program, CHAR, R, 5, 1));
    assert!(!permits(&program, CHAR, R | W, 5, 1));
    assert!(permits(&program, BLOCK, W, 5, 1));
    // A rule about everything forgets the others.
    open.push(DeviceRule::everything(Permit::Deny));
    assert!(!permits(&Table::of(&open).program(), BLOCK, W, 5, 1));
    assert!(!permits(&Table::of(&[]).program(), CHAR, R, 1, 3));
}
