//! What changes containers that are there, and what they use.

use api::Query;
use api::container::{StatsResponse, TopResponse, UpdateRequest, UpdateResponse};

use crate::containers::{Containers, path};
use crate::error::Result;
use crate::transport::Call;

impl Containers<'_> {
    /// Stops all processes.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn pause(&self, name: &str) -> Result<()> {
        self.0.run(Call::post(&path(name, "/pause"))).await
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn unpause(&self, name: &str) -> Result<()> {
        self.0.run(Call::post(&path(name, "/unpause"))).await
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn rename(&self, name: &str, new: &str) -> Result<()> {
        let query = Query::new().with("name", new);
        let path = path(name, "/rename");
        let call = Call::post(&path).query(query);
        self.0.run(call).await
    }

    /// Changes limits.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn update(&self, name: &str, request: &UpdateRequest) -> Result<UpdateResponse> {
        let path = path(name, "/update");
        let call = Call::post(&path).json(request)?;
        self.0.fetch(call).await
    }

    /// The processes, as ps(1) shows them with these options.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn top(&self, name: &str, options: &str) -> Result<TopResponse> {
        let query = Query::new().with("ps_args", options);
        let path = path(name, "/top");
        let call = Call::get(&path).query(query);
        self.0.fetch(call).await
    }

    /// What it used until now; shares of time need two of them.
    ///
    /// # Errors
    /// As [`Containers::create`].
    pub async fn stats(&self, name: &str) -> Result<StatsResponse> {
        let query = Query::new().with("stream", "0").with_flag("one-shot", true);
        let path = path(name, "/stats");
        let call = Call::get(&path).query(query);
        self.0.fetch(call).await
    }
}
