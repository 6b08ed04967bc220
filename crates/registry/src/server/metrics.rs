//! Numbers for whoever watches, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram of durations, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];

/// What a request was: method, kind of resource, status.
type Key = (&'static str, &'static str, u16);

#[derive(Debug, Default)]
struct Requests {
    count: u64,
    seconds: f64,
    buckets: [u64; BOUNDS.len()],
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<Key, Requests>>,
    under_way: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    collected: AtomicU64,
    freed: AtomicU64,
    damaged: AtomicU64,
    failures: AtomicU64,
}

impl Metrics {
    pub(crate) fn began(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn collected(&self, blobs: u64, bytes: u64) {
        self.collected.fetch_add(blobs, Ordering::Relaxed);
        self.freed.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn damaged(&self, blobs: u64) {
        self.damaged.fetch_add(blobs, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self, key: Key, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let one = requests.entry(key).or_default();
        let seconds = took.as_secs_f64();
        one.count += 1;
        one.seconds += seconds;
        if let Some(place) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            one.buckets[place] += 1;
        }
    }

    /// All of them as text. `uploads` are under way.
    pub(crate) fn text(&self, uploads: usize) -> String {
        let mut out = String::new();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut one = |name: &str, kind: &str, help: &str, value: u64| {
            // Writing to a string does not fail.
            let _ = write!(
                out,
                "# HELP tare_registry_{name} {help}\n# TYPE tare_registry_{name} {kind}\ntare_registry_{name} {value}\n"
            );
        };
        one(
            "requests_under_way",
            "gauge",
            "Requests that are being answered.",
            load(&self.under_way),
        );
        one(
            "uploads_under_way",
            "gauge",
            "Uploads that were begun and not ended.",
            uploads as u64,
        );
        one(
            "received_bytes_total",
            "counter",
            "Bytes of blobs that came.",
            load(&self.received),
        );
        one(
            "sent_bytes_total",
            "counter",
            "Bytes of blobs that were asked for.",
            load(&self.sent),
        );
        one(
            "collected_blobs_total",
            "counter",
            "Blobs that nobody needed.",
            load(&self.collected),
        );
        one(
            "collected_bytes_total",
            "counter",
            "Bytes of those.",
            load(&self.freed),
        );
        one(
            "damaged_blobs_total",
            "counter",
            "Blobs that did not have their digest.",
            load(&self.damaged),
        );
        one(
            "failures_total",
            "counter",
            "Failures of this side.",
            load(&self.failures),
        );
        out.push_str("# HELP tare_registry_request_seconds Time until an answer began.\n# TYPE tare_registry_request_seconds histogram\n");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for ((method, kind, status), one) in &*requests {
            let labels = format!("method=\"{method}\",resource=\"{kind}\",status=\"{status}\"");
            let mut sum = 0;
            for (bound, count) in BOUNDS.iter().zip(one.buckets) {
                sum += count;
                let _ = writeln!(
                    out,
                    "tare_registry_request_seconds_bucket{{{labels},le=\"{bound}\"}} {sum}"
                );
            }
            let (count, seconds) = (one.count, one.seconds);
            let _ = write!(
                out,
                "tare_registry_request_seconds_bucket{{{labels},le=\"+Inf\"}} {count}\ntare_registry_request_seconds_sum{{{labels}}} {seconds}\ntare_registry_request_seconds_count{{{labels}}} {count}\n"
            );
        }
        out
    }
}
