//! The time.

use protocol::Nanos;
use rustix::time::{ClockId, clock_gettime};

/// Unix time in nanoseconds.
pub(crate) fn now() -> Nanos {
    let time = clock_gettime(ClockId::Realtime);
    let seconds = Nanos::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + Nanos::try_from(time.tv_nsec).unwrap_or_default()
}
