//! Signals to this process while it stands for a container.

use crate::error::{Error, Result};
use std::task::Poll;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Came {
    pub(crate) name: &'static str,
    pub(crate) number: u8,
}

impl Came {
    /// The exit code of a process that such a signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        128 + self.number
    }
}

/// The window of the terminal changed its size.
pub(crate) const WINCH: Came = Came {
    name: "WINCH",
    number: 28,
};

/// What ends a process that doesn't say otherwise.
const ENDING: &[Came] = &[
    Came {
        name: "HUP",
        number: 1,
    },
    Came {
        name: "INT",
        number: 2,
    },
    Came {
        name: "QUIT",
        number: 3,
    },
    Came {
        name: "TERM",
        number: 15,
    },
];

/// What is passed on besides.
const OTHERS: &[Came] = &[
    Came {
        name: "USR1",
        number: 10,
    },
    Came {
        name: "USR2",
        number: 12,
    },
    Came {
        name: "ALRM",
        number: 14,
    },
    Came {
        name: "CONT",
        number: 18,
    },
];

/// Signals that are caught from now on.
#[derive(Debug, Default)]
pub(crate) struct Signals(Vec<(Came, Signal)>);

impl Signals {
    /// None: they have their usual effect.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Those that a container without a terminal is to get.
    pub(crate) fn for_container() -> Result<Self> {
        Self::catch(ENDING.iter().chain(OTHERS))
    }

    /// Those that matter while the terminal is raw: it must be restored, and its size followed.
    pub(crate) fn for_terminal() -> Result<Self> {
        Self::catch(ENDING.iter().chain([&WINCH]))
    }

    /// Those that ask a daemon to end.
    pub(crate) fn ending() -> Result<Self> {
        Self::catch(ENDING)
    }

    fn catch<'a>(wanted: impl IntoIterator<Item = &'a Came>) -> Result<Self> {
        let caught = wanted.into_iter().map(|came| {
            let stream = signal(SignalKind::from_raw(i32::from(came.number)));
            stream
                .map(|stream| (*came, stream))
                .map_err(|why| Error::io("catch signal", came.name, why))
        });
        caught.collect::<Result<_>>().map(Self)
    }

    /// The next one; never, if none is caught.
    pub(crate) async fn next(&mut self) -> Came {
        std::future::poll_fn(|cx| {
            for (came, stream) in &mut self.0 {
                if let Poll::Ready(Some(())) = stream.poll_recv(cx) {
                    return Poll::Ready(*came);
                }
            }
            Poll::Pending
        })
        .await
    }
}
