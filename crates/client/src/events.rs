//! What happens in an engine.

use api::event::Event;
use api::{Filters, Query};
use tokio::io::AsyncReadExt as _;

use crate::error::{Error, Result};
use crate::stream::Download;
use crate::system::System;
use crate::transport::Call;

/// Which events to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventsQuery {
    /// Seconds since 1970, or RFC 3339; only what is to come if empty.
    pub since: String,
    /// The same; for ever if empty.
    pub until: String,
    /// Only those that match.
    pub filters: Filters,
}

/// Events as they come.
#[derive(Debug)]
pub struct Events {
    body: Download,
    buffer: Vec<u8>,
}

impl System<'_> {
    /// What happened and what happens: when this returns, nothing is missed any more.
    ///
    /// # Errors
    /// As [`System::ping`].
    pub async fn events(&self, query: &EventsQuery) -> Result<Events> {
        let query = Query::new()
            .with("since", query.since.clone())
            .with("until", query.until.clone())
            .with("filters", query.filters.encode());
        let body = self.0.download(Call::get("/events").query(query)).await?;
        Ok(Events {
            body,
            buffer: Vec::new(),
        })
    }
}

impl Events {
    /// The next event; none when there will be no more.
    ///
    /// # Errors
    /// The connection broke, or the engine's answer is no event.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let event = api::decode(&line);
                return event
                    .map(Some)
                    .map_err(|e| Error::protocol("decode event", e));
            }
            let mut chunk = [0; 4096];
            let read = self.body.read(&mut chunk).await;
            match read.map_err(|e| Error::protocol("read events", e))? {
                0 => return Ok(None),
                read => self.buffer.extend_from_slice(&chunk[..read]),
            }
        }
    }
}
