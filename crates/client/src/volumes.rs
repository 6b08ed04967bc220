//! Volumes.

use api::query::path_segment;
use api::volume::{Volume, VolumeCreateRequest, VolumeList};
use api::{Filters, Query};
use bytes::Bytes;

use crate::error::Result;
use crate::transport::{Call, Client};

/// What can be done with volumes.
#[derive(Debug, Clone, Copy)]
pub struct Volumes<'a>(pub(crate) &'a Client);

impl Volumes<'_> {
    /// Makes a volume.
    ///
    /// # Errors
    /// The engine refuses or can't be reached; so with all that follow.
    pub async fn create(&self, request: &VolumeCreateRequest) -> Result<Volume> {
        self.0
            .fetch(Call::post("/volumes/create").json(request)?)
            .await
    }

    /// Lists volumes.
    ///
    /// # Errors
    /// As [`Volumes::create`].
    pub async fn list(&self, filters: &Filters) -> Result<VolumeList> {
        let query = Query::new().with("filters", filters.encode());
        self.0.fetch(Call::get("/volumes").query(query)).await
    }

    /// One volume.
    ///
    /// # Errors
    /// As [`Volumes::create`].
    pub async fn inspect(&self, name: &str) -> Result<Volume> {
        self.0.fetch(Call::get(&path(name))).await
    }

    /// The same as the engine wrote it.
    ///
    /// # Errors
    /// As [`Volumes::create`].
    pub async fn inspect_raw(&self, name: &str) -> Result<Bytes> {
        self.0.fetch_raw(Call::get(&path(name))).await
    }

    /// Removes a volume.
    ///
    /// # Errors
    /// As [`Volumes::create`].
    pub async fn remove(&self, name: &str, force: bool) -> Result<()> {
        let query = Query::new().with_flag("force", force);
        self.0.run(Call::delete(&path(name)).query(query)).await
    }
}

fn path(name: &str) -> String {
    format!("/volumes/{}", path_segment(name))
}
