//! src/bin/tare-runtime.rs
fn main() {}
