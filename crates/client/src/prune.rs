//! Removing what nobody uses, and how much that would be.

use api::prune::{BuildsPruned, ContainersPruned, ImagesPruned, VolumesPruned};
use api::usage::DiskUsage;
use api::{Filters, Query};

use crate::error::Result;
use crate::transport::{Call, Client};

/// What can be removed because nobody uses it.
#[derive(Debug, Clone, Copy)]
pub struct Prune<'a>(pub(crate) &'a Client);

impl Prune<'_> {
    /// Removes containers that do not run.
    ///
    /// # Errors
    /// The engine refuses or can't be reached; so with all that follow.
    pub async fn containers(&self, filters: &Filters) -> Result<ContainersPruned> {
        let query = Query::new().with("filters", filters.encode());
        let call = Call::post("/containers/prune").query(query);
        self.0.fetch(call).await
    }

    /// Removes images without containers: those without a tag, unless `dangling` is false.
    ///
    /// # Errors
    /// As [`Prune::containers`].
    pub async fn images(&self, filters: &Filters) -> Result<ImagesPruned> {
        let query = Query::new().with("filters", filters.encode());
        self.0.fetch(Call::post("/images/prune").query(query)).await
    }

    /// Removes volumes without containers: those without a name, unless `all` is set.
    ///
    /// # Errors
    /// As [`Prune::containers`].
    pub async fn volumes(&self, filters: &Filters) -> Result<VolumesPruned> {
        let query = Query::new().with("filters", filters.encode());
        self.0
            .fetch(Call::post("/volumes/prune").query(query))
            .await
    }

    /// Removes what builds keep.
    ///
    /// # Errors
    /// As [`Prune::containers`].
    pub async fn builds(&self, all: bool, filters: &Filters) -> Result<BuildsPruned> {
        let query = Query::new()
            .with_flag("all", all)
            .with("filters", filters.encode());
        self.0.fetch(Call::post("/build/prune").query(query)).await
    }

    /// What takes how much of the disk.
    ///
    /// # Errors
    /// As [`Prune::containers`].
    pub async fn usage(&self) -> Result<DiskUsage> {
        self.0.fetch(Call::get("/system/df")).await
    }
}
