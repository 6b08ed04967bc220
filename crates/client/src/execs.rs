//! Programs run in containers.

use api::Query;
use api::exec::{ExecInspect, ExecStart};
use api::query::path_segment;

use crate::error::Result;
use crate::stream::Hijacked;
use crate::transport::{Call, Client};

/// What can be done with programs prepared by [`crate::Containers::exec`].
#[derive(Debug, Clone, Copy)]
pub struct Execs<'a>(pub(crate) &'a Client);

impl Execs<'_> {
    /// Starts it with its streams.
    ///
    /// # Errors
    /// The engine refuses or can't be reached; so with all that follow.
    pub async fn start(&self, id: &str, start: &ExecStart) -> Result<Hijacked> {
        let start = ExecStart {
            detach: false,
            ..start.clone()
        };
        self.0
            .hijack(Call::post(&path(id, "/start")).json(&start)?)
            .await
    }

    /// Starts it and leaves it alone.
    ///
    /// # Errors
    /// As [`Execs::start`].
    pub async fn start_detached(&self, id: &str, start: &ExecStart) -> Result<()> {
        let start = ExecStart {
            detach: true,
            ..start.clone()
        };
        self.0
            .run(Call::post(&path(id, "/start")).json(&start)?)
            .await
    }

    /// What is known of it.
    ///
    /// # Errors
    /// As [`Execs::start`].
    pub async fn inspect(&self, id: &str) -> Result<ExecInspect> {
        self.0.fetch(Call::get(&path(id, "/json"))).await
    }

    /// Gives its terminal another size.
    ///
    /// # Errors
    /// As [`Execs::start`].
    pub async fn resize(&self, id: &str, rows: u16, columns: u16) -> Result<()> {
        let query = Query::new()
            .with_number("h", Some(rows))
            .with_number("w", Some(columns));
        self.0
            .run(Call::post(&path(id, "/resize")).query(query))
            .await
    }
}

fn path(id: &str, rest: &str) -> String {
    format!("/exec/{}{rest}", path_segment(id))
}
