//! A container's files.

use api::IdResponse;
use api::files::{Change, PathStat};
use api::query::path_segment;
use api::{Query, decode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method};
use tokio::io::AsyncRead;

use crate::error::{Error, Result};
use crate::stream::Download;
use crate::transport::{Call, Client};
use crate::upload::Upload;

/// What can be done with the files of a container, which is named by name, id or a prefix of its id.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a>(pub(crate) &'a Client);

/// An image to make of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// The reference that it gets; none if empty.
    pub repository: String,
    /// Its tag, if `repository` has none.
    pub tag: String,
    /// Its author.
    pub author: String,
    /// Its history's comment.
    pub message: String,
    /// Instructions for its configuration.
    pub changes: Vec<String>,
    /// The container runs on while its files are read.
    pub no_pause: bool,
}

/// How files are put into a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutQuery {
    /// They belong to the container's user.
    pub own: bool,
    /// A directory may replace something else, and something else a directory.
    pub replace: bool,
}

impl Files<'_> {
    /// What is at a path.
    ///
    /// # Errors
    /// The engine refuses or can't be reached; so with all that follow.
    pub async fn stat(&self, name: &str, path: &str) -> Result<PathStat> {
        let place = archive(name);
        let call = Call::new(Method::HEAD, &place).query(Query::new().with("path", path));
        stat_of(self.0.call(call).await?.headers())
    }

    /// The tar of what is at a path, and what that is.
    ///
    /// # Errors
    /// As [`Files::stat`]; what goes wrong later ends the stream with an error.
    pub async fn get(&self, name: &str, path: &str) -> Result<(PathStat, Download)> {
        let place = archive(name);
        let call = Call::get(&place).query(Query::new().with("path", path));
        let answer = self.0.call(call).await?;
        let stat = stat_of(answer.headers())?;
        Ok((stat, answer.into_body()))
    }

    /// Unpacks a tar in the directory at a path.
    ///
    /// # Errors
    /// As [`Files::stat`].
    pub async fn put(
        &self,
        name: &str,
        path: &str,
        put: PutQuery,
        tar: impl AsyncRead + Send + 'static,
    ) -> Result<()> {
        let query = Query::new()
            .with("path", path)
            .with_flag("noOverwriteDirNonDir", !put.replace)
            .with_flag("copyUIDGID", put.own);
        let place = archive(name);
        let call = Call::new(Method::PUT, &place).query(query);
        self.0.run(call.tar(Upload::stream(tar))).await
    }

    /// The tar of all its own files.
    ///
    /// # Errors
    /// As [`Files::get`].
    pub async fn export(&self, name: &str) -> Result<Download> {
        let place = format!("/containers/{}/export", path_segment(name));
        self.0.download(Call::get(&place)).await
    }

    /// What was changed since it was made.
    ///
    /// # Errors
    /// As [`Files::stat`].
    pub async fn changes(&self, name: &str) -> Result<Vec<Change>> {
        let place = format!("/containers/{}/changes", path_segment(name));
        let changes: Option<Vec<Change>> = self.0.fetch(Call::get(&place)).await?;
        Ok(changes.unwrap_or_default())
    }

    /// Makes an image of it; gives the image's id.
    ///
    /// # Errors
    /// As [`Files::stat`].
    pub async fn commit(&self, name: &str, commit: &Commit) -> Result<String> {
        let query = Query::new()
            .with("container", name)
            .with("repo", commit.repository.clone())
            .with("tag", commit.tag.clone())
            .with("author", commit.author.clone())
            .with("comment", commit.message.clone())
            .with("pause", if commit.no_pause { "0" } else { "" });
        let add = |query: Query, change: &String| query.with("changes", change.clone());
        let query = commit.changes.iter().fold(query, add);
        let answer: IdResponse = self.0.fetch(Call::post("/commit").query(query)).await?;
        Ok(answer.id)
    }
}

fn archive(name: &str) -> String {
    format!("/containers/{}/archive", path_segment(name))
}

fn stat_of(headers: &HeaderMap) -> Result<PathStat> {
    let wrong = || Error::protocol("read what is at the path", "its header is malformed");
    let value = headers
        .get("x-docker-container-path-stat")
        .ok_or_else(wrong)?;
    let text = STANDARD.decode(value.as_bytes()).map_err(|_| wrong())?;
    decode(&text).map_err(|_| wrong())
}
