//! src/main.rs
fn main() {}
