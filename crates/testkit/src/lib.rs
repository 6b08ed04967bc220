//! Fixtures of the tests: private namespaces, a throw-away engine, images, terminals and the leak checker.
//!
//! Knows the built binaries and the kernel, none of the crates that make them. Nothing here is linked into a product.
//!
//! Read [`sandbox`] first (a test in namespaces of its own), then [`host`] (an engine in a temporary directory, reached
//! by one of the transports), then [`leak`] (what must be as before when the test is over).
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a fixture that fails is a test that fails"
)]

pub mod fixtures;
pub mod host;
pub mod leak;
pub mod peers;
pub mod registry;
pub mod sandbox;
pub mod terminal;

pub use host::{Host, Outcome, Transport};
pub use registry::Registry;
pub use sandbox::note;
pub use terminal::Terminal;

/// Makes of each story `fn(&Sandbox, Transport)` two tests, `embedded::story` and `socket::story`.
#[macro_export]
macro_rules! over_both_transports {
    ($($story:ident),+ $(,)?) => {
        mod embedded {
            $(#[test]
            fn $story() {
                let Some(sandbox) = $crate::sandbox!() else { return };
                super::$story(&sandbox, $crate::Transport::Embedded);
            })+
        }
        mod socket {
            $(#[test]
            fn $story() {
                let Some(sandbox) = $crate::sandbox!() else { return };
                super::$story(&sandbox, $crate::Transport::Socket);
            })+
        }
    };
}
