//! The process beside each container.
//!
//! It makes the container's first process and every exec by linking `runtime`, holds its pipes or its terminal, writes the
//! log, records the end, and answers on a unix socket. It knows no image, no database and no HTTP; it has one thread, no asynchronous
//! runtime, and forgets the specification as soon as the program runs, because there may be thousands of it.
//!
//! Rules that hold everywhere here:
//! - Nobody can make the container wait. Clients are served from the log's files as fast as they read; if the log can't be
//!   written, output is dropped and counted, and a note takes its place when there is room again.
//! - The end is written down before it is told, and the lock is given up before it is told too: who hears of the end finds
//!   neither a mount nor a monitor in the way.
//! - The container dies with this process. SIGTERM, SIGINT, SIGHUP and SIGPIPE are ignored: containers are stopped through
//!   the engine, and the end of a login session is none of theirs.
//!
//! Read `launch` (from an order to a running program), then `serve` (the loop), `requests` (what it answers) and
//! `finish` (from the program's end to its own). `names` is the container's resolver.

mod chronicle;
mod client;
mod clock;
mod container;
mod error;
mod execs;
mod finish;
mod follower;
mod health;
mod init;
mod launch;
mod names;
mod output;
mod phase;
mod preparation;
mod record;
mod requests;
mod restart;
mod serve;
mod settle;
mod streams;

pub use error::{Error, Result};
pub use init::{INIT, init};

use error::During;
use preparation::Preparation;

/// Lives the monitor's life: waits for an order, launches what it says, serves it until its end, and returns.
///
/// # Errors
/// The process was not started by the engine: its channel is missing, or brings no order. All that can fail afterwards is told to the
/// engine.
pub fn run() -> Result<()> {
    let channel =
        kernel::inherited::take(protocol::launch::CHANNEL_FD).during("start without an engine")?;
    launch::settle()?;
    let preparation = Preparation::until_ordered(&channel);
    let Some(given) = launch::Given::wait(channel)? else {
        return Ok(());
    };
    if let Some(mut monitor) = launch::launch(given, preparation) {
        monitor.serve();
    }
    Ok(())
}
