//! Images.

use api::image::{HistoryItem, ImageDeleted, ImageInspect, ImageSummary};
use api::query::path_segment;
use api::{Filters, Query};
use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::error::Result;
use crate::stream::{Download, Messages};
use crate::transport::{Call, Client};
use crate::upload::Upload;

/// What can be done with images.
#[derive(Debug, Clone, Copy)]
pub struct Images<'a>(pub(crate) &'a Client);

/// Which images to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageListQuery {
    /// Also those that others were built upon.
    pub all: bool,
    /// Only those that match.
    pub filters: Filters,
}

/// How to make an image from a root file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageImport {
    /// The reference that it gets; none if empty.
    pub repository: String,
    /// Its tag, if `repository` has none.
    pub tag: String,
    /// Its history's comment.
    pub message: String,
    /// Instructions for its configuration.
    pub changes: Vec<String>,
    /// Its platform; the machine's if empty.
    pub platform: String,
}

/// What to pull.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImagePull {
    /// The repository.
    pub repository: String,
    /// The tag or digest; every tag if empty.
    pub tag: String,
    /// The platform; the machine's if empty.
    pub platform: String,
    /// What the engine is to show to the registry, encoded; nothing if empty.
    pub registry_auth: String,
}

/// What to push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImagePush {
    /// The repository.
    pub repository: String,
    /// The tag; every tag if empty.
    pub tag: String,
    /// The platform that the image must have; any if empty.
    pub platform: String,
    /// What the engine is to show to the registry, encoded; nothing if empty.
    pub registry_auth: String,
}

impl Images<'_> {
    /// Lists images.
    ///
    /// # Errors
    /// The engine refuses or can't be reached; so with all that follow.
    pub async fn list(&self, query: &ImageListQuery) -> Result<Vec<ImageSummary>> {
        let query = Query::new()
            .with_flag("all", query.all)
            .with("filters", query.filters.encode());
        self.0.fetch(Call::get("/images/json").query(query)).await
    }

    /// Everything about an image.
    ///
    /// # Errors
    /// As [`Images::list`].
    pub async fn inspect(&self, name: &str) -> Result<ImageInspect> {
        self.0.fetch(Call::get(&path(name, "/json"))).await
    }

    /// The same as the engine wrote it.
    ///
    /// # Errors
    /// As [`Images::list`].
    pub async fn inspect_raw(&self, name: &str) -> Result<Bytes> {
        self.0.fetch_raw(Call::get(&path(name, "/json"))).await
    }

    /// The steps in which it was made.
    ///
    /// # Errors
    /// As [`Images::list`].
    pub async fn history(&self, name: &str) -> Result<Vec<HistoryItem>> {
        self.0.fetch(Call::get(&path(name, "/history"))).await
    }

    /// Gives it one more name.
    ///
    /// # Errors
    /// As [`Images::list`].
    pub async fn tag(&self, name: &str, repository: &str, tag: &str) -> Result<()> {
        let query = Query::new().with("repo", repository).with("tag", tag);
        self.0
            .run(Call::post(&path(name, "/tag")).query(query))
            .await
    }

    /// Takes a name from it, and with the last name the image itself.
    ///
    /// # Errors
    /// As [`Images::list`].
    pub async fn remove(
        &self,
        name: &str,
        force: bool,
        no_prune: bool,
    ) -> Result<Vec<ImageDeleted>> {
        let query = Query::new()
            .with_flag("force", force)
            .with_flag("noprune", no_prune);
        self.0
            .fetch(Call::delete(&path(name, "")).query(query))
            .await
    }

    /// Takes images from an archive: those for a platform, if one is given, as JSON.
    ///
    /// # Errors
    /// As [`Images::list`]; what goes wrong later comes with the messages.
    pub async fn load(
        &self,
        archive: impl AsyncRead + Send + 'static,
        quiet: bool,
        platform: &str,
    ) -> Result<Messages> {
        let query = Query::new()
            .with("quiet", if quiet { "1" } else { "0" })
            .with("platform", platform);
        let call = Call::post("/images/load").query(query);
        self.0
            .download(call.tar(Upload::stream(archive)))
            .await
            .map(Messages::new)
    }

    /// Writes images into one archive. The platform that they must have is JSON; any, if it is empty.
    ///
    /// # Errors
    /// As [`Images::list`]; what goes wrong later ends the stream with an error.
    pub async fn save(&self, names: &[String], platform: &str) -> Result<Download> {
        let query = Query::new().with("platform", platform);
        let add = |query: Query, name: &String| query.with("names", name.clone());
        let query = names.iter().fold(query, add);
        self.0.download(Call::get("/images/get").query(query)).await
    }

    /// Makes an image from a tar of a root file system.
    ///
    /// # Errors
    /// As [`Images::load`].
    pub async fn import(
        &self,
        import: &ImageImport,
        tar: impl AsyncRead + Send + 'static,
    ) -> Result<Messages> {
        let query = Query::new()
            .with("fromSrc", "-")
            .with("repo", import.repository.clone())
            .with("tag", import.tag.clone())
            .with("message", import.message.clone())
            .with("platform", import.platform.clone());
        let add = |query: Query, change: &String| query.with("changes", change.clone());
        let query = import.changes.iter().fold(query, add);
        let call = Call::post("/images/create")
            .query(query)
            .tar(Upload::stream(tar));
        self.0.download(call).await.map(Messages::new)
    }

    /// Pushes an image; dropping the messages ends it.
    ///
    /// # Errors
    /// As [`Images::load`].
    pub async fn push(&self, push: &ImagePush) -> Result<Messages> {
        let query = Query::new()
            .with("tag", push.tag.clone())
            .with("platform", push.platform.clone());
        let path = path(&push.repository, "/push");
        // Docker's daemons want the header even where there is nothing to show.
        let auth = match push.registry_auth.as_str() {
            "" => "e30=",
            auth => auth,
        };
        let call = Call::post(&path).query(query).registry_auth(auth);
        self.0.download(call).await.map(Messages::new)
    }

    /// Pulls an image; dropping the messages ends it.
    ///
    /// # Errors
    /// As [`Images::load`].
    pub async fn pull(&self, pull: &ImagePull) -> Result<Messages> {
        let query = Query::new()
            .with("fromImage", pull.repository.clone())
            .with("tag", pull.tag.clone())
            .with("platform", pull.platform.clone());
        let call = Call::post("/images/create")
            .query(query)
            .registry_auth(&pull.registry_auth);
        self.0.download(call).await.map(Messages::new)
    }
}

fn path(name: &str, rest: &str) -> String {
    format!("/images/{}{rest}", path_segment(name))
}
