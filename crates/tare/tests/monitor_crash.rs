//! A monitor that is killed at its worst moments.
#![cfg(feature = "failpoints")]
#![allow(clippy::unwrap_used, reason = "a test may")]

mod monitored;

use monitored::Bench;
use protocol::log::Stream;
use protocol::{Liveness, Ready};

#[test]
fn nothing_of_a_killed_monitor_is_in_the_way() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut bench = Bench::new();
    let points = failpoint::POINTS
        .iter()
        .filter(|p| p.starts_with("monitor.launch.") || p.starts_with("monitor.exit."));
    let mut seen = 0;
    for &point in points {
        let last = bench.record();
        let before = bench.text(Stream::Stdout).len();
        let launch = bench.script("echo ran; exit 3");
        let ready = bench.try_launch(&launch, Some(point));
        bench.join_killed();
        let alive = bench.liveness().is_alive();
        assert!(!alive, "{point}: {:?}", bench.liveness());
        bench.until("the container dies", || bench.processes().is_empty());
        let record = bench.record();
        match point.rsplit('.').next().unwrap() {
            "locked" | "created" => {
                assert!(ready.is_err(), "{point}: {ready:?}");
                // Nothing ran: how the last run ended is still what is known.
                assert_eq!(record, last, "{point}");
                assert_eq!(bench.text(Stream::Stdout).len(), before);
            }
            "started" => assert!(ready.is_err() && record.is_none(), "{point}"),
            "reported" | "drained" | "cleared" => {
                assert!(matches!(ready, Ok(Ready::Started { .. })), "{point}");
                assert!(record.is_none(), "{point}: {record:?}");
            }
            "recorded" => assert!(matches!(bench.liveness(), Liveness::Dead(Some(_)))),
            "released" | "told" => assert_eq!(bench.liveness(), Liveness::Absent),
            other => panic!("a story for {other}"),
        }
        if ["recorded", "released", "told"]
            .iter()
            .any(|p| point.ends_with(p))
        {
            assert_eq!(record.map(|r| r.code), Some(3), "{point}");
        }
        // The next one runs as if nothing had been.
        bench.start(&bench.command(&["echo", "next"]));
        assert_eq!(bench.wait().code, 0, "after {point}");
        bench.join();
        assert!(bench.text(Stream::Stdout).ends_with("next\n"), "{point}");
        seen += 1;
    }
    assert!(seen >= 9);
}
