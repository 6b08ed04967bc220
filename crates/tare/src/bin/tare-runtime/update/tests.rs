use super::*;

#[test]
fn sizes_are_read_as_docker_reads_them() {
    for (text, bytes) in [
        ("0", Some(0)),
        ("1024", Some(1024)),
        ("512m", Some(512 << 20)),
        ("1.5g", Some(3 << 29)),
        ("2GiB", Some(2 << 30)),
        ("2 kb", Some(2048)),
        ("7B", Some(7)),
        ("1t", Some(1 << 40)),
        ("", None),
        ("m", None),
        ("1x", None),
        ("i", None),
        ("1i", None),
        ("-5", None),
        ("9999999p", None),
    ] {
        assert_eq!(parse_bytes(text), bytes, "{text}");
    }
}

fn memory_of(limit: Option<i64>, swap: Option<i64>) -> Resources {
    Resources {
        memory: Some(Memory {
            limit,
            swap,
            ..Memory::default()
        }),
        ..Resources::default()
    }
}

#[test]
fn memory_is_written_with_the_swap_that_it_had() {
    let mut kept = memory_of(Some(100), Some(300));
    let change = merge(&mut kept, memory_of(Some(200), None)).unwrap();
    assert_eq!(change, memory_of(Some(200), Some(300)));
    assert_eq!(kept, change);
    assert!(merge(&mut kept, memory_of(Some(400), None)).is_err());
    let change = merge(&mut kept, memory_of(Some(-1), None)).unwrap();
    assert_eq!(change, memory_of(Some(-1), Some(-1)));
}

#[test]
fn a_quota_is_written_with_its_period_and_nothing_else_is() {
    let cpu = |quota, period| Cpu {
        quota,
        period,
        ..Cpu::default()
    };
    let mut kept = Resources {
        cpu: Some(Cpu {
            shares: Some(512),
            ..cpu(Some(1000), Some(5000))
        }),
        pids: Some(Pids { limit: 7 }),
        ..Resources::default()
    };
    let asked = Resources {
        cpu: Some(cpu(Some(2000), None)),
        pids: Some(Pids { limit: 0 }),
        ..Resources::default()
    };
    let change = merge(&mut kept, asked).unwrap();
    assert_eq!(change.cpu, Some(cpu(Some(2000), Some(5000))));
    assert_eq!(change.pids, None);
    assert_eq!(kept.cpu.as_ref().unwrap().shares, Some(512));
    assert_eq!(kept.pids, Some(Pids { limit: 7 }));
}
