//! `run`: `create` and `start` in one, and the wait for the end.

use std::process::ExitCode;

use crate::Cx;
use crate::args::{Flag, Given, Order};
use crate::commands::Command;
use crate::create::{
    BUNDLE, CONSOLE_SOCKET, Mode, NO_NEW_KEYRING, NO_PIVOT, PID_FILE, PRESERVE_FDS, make,
};
use crate::delete::destroy;
use crate::fault::Result;
use crate::foreground::Signals;
use crate::start::release;
use crate::{exec, foreground};

pub(crate) const COMMAND: Command = Command {
    name: "run",
    arguments: "ID",
    about: "make and start a container, wait for its end, and delete it",
    details: "Exits with the program's code, or 128 and the number of the signal that ended it.",
    flags: &[
        BUNDLE,
        Flag::switch("detach", "d", "return when the program runs"),
        Flag::switch(
            "keep",
            "",
            "don't delete the container when its program ends",
        ),
        CONSOLE_SOCKET,
        PID_FILE,
        exec::NO_SUBREAPER,
        NO_PIVOT,
        NO_NEW_KEYRING,
        PRESERVE_FDS,
    ],
    order: Order::Anywhere,
    run,
};

fn run(cx: &Cx, given: &Given) -> Result<ExitCode> {
    if given.is_on("detach") {
        begin(cx, given, Mode::Detached)?;
        return Ok(ExitCode::SUCCESS);
    }
    let signals = Signals::catch(!given.is_on("no-subreaper"))?;
    let mut made = begin(cx, given, Mode::Attached)?;
    let ended = foreground::wait(&signals, made.pid, &made.pidfd, made.console.take());
    if !given.is_on("keep") {
        destroy(cx, &cx.store.load(given.id()?)?)?;
    }
    Ok(ExitCode::from(ended?))
}

fn begin(cx: &Cx, given: &Given, mode: Mode) -> Result<runtime::Created> {
    let made = make(cx, given, mode)?;
    let record = cx.store.load(given.id()?)?;
    if let Err(fault) = release(cx, &record) {
        // The fault is the one to tell.
        drop(made.pidfd.wait());
        drop(destroy(cx, &record));
        return Err(fault);
    }
    Ok(made)
}
