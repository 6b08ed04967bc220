//! src/bin/tare-monitor.rs
fn main() {}
