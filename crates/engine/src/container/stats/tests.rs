#![allow(clippy::unwrap_used, reason = "tests")]

use kernel::cgroup::{Counted, Usage};

use super::{Machine, interfaces, processors, shaped};

#[test]
fn the_machines_time_is_counted_once() {
    let stat = "cpu  1 2 3 4 5 6 7 8 100 100\ncpu0 1 0 0 0\ncpu1 0 2 3 4\nintr 5\n";
    assert_eq!(processors(stat), (360_000_000, 2));
    assert_eq!(processors(""), (0, 0));
}

#[test]
fn interfaces_are_read_but_for_the_loop() {
    let text = "Inter-|   Receive |  Transmit\n face |bytes packets\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 10 2 3 4 0 0 0 0 50 6 7 8 0 0 0 0\n";
    let all = interfaces(text);
    assert_eq!(all.keys().collect::<Vec<_>>(), ["eth0"]);
    let usage = all["eth0"];
    assert_eq!((usage.rx_bytes, usage.rx_packets), (10, 2));
    assert_eq!((usage.rx_errors, usage.rx_dropped), (3, 4));
    assert_eq!((usage.tx_bytes, usage.tx_packets), (50, 6));
    assert_eq!((usage.tx_errors, usage.tx_dropped), (7, 8));
    assert!(interfaces("").is_empty());
}

#[test]
fn memory_without_a_limit_is_limited_by_the_machine() {
    let machine = Machine {
        memory: 1000,
        ..Machine::default()
    };
    let with = |limit| {
        let mut usage = Usage::default();
        usage.memory.memory = Counted {
            usage: 7,
            limit,
            ..Counted::default()
        };
        shaped(usage, &machine).memory.limit
    };
    assert_eq!(with(None), 1000);
    assert_eq!(with(Some(10)), 10);
    assert_eq!(with(Some(2000)), 1000);
}
