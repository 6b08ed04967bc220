//! Networks.

use api::network::Network;
use api::query::path_segment;
use api::{Filters, Query};
use bytes::Bytes;

use crate::error::Result;
use crate::transport::{Call, Client};

/// What can be done with networks.
#[derive(Debug, Clone, Copy)]
pub struct Networks<'a>(pub(crate) &'a Client);

impl Networks<'_> {
    /// Lists networks.
    ///
    /// # Errors
    /// The engine refuses or can't be reached; so with all that follow.
    pub async fn list(&self, filters: &Filters) -> Result<Vec<Network>> {
        let query = Query::new().with("filters", filters.encode());
        self.0.fetch(Call::get("/networks").query(query)).await
    }

    /// One network, as the engine wrote it.
    ///
    /// # Errors
    /// As [`Networks::list`].
    pub async fn inspect_raw(&self, name: &str) -> Result<Bytes> {
        self.0
            .fetch_raw(Call::get(&format!("/networks/{}", path_segment(name))))
            .await
    }
}
