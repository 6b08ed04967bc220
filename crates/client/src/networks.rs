//! Networks.

use api::network::{
    Network, NetworkConnectRequest, NetworkCreateRequest, NetworkCreateResponse,
    NetworkDisconnectRequest, NetworkPruneReport, PortsRequest, PortsResponse,
};
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

    /// One network.
    ///
    /// # Errors
    /// As [`Networks::list`].
    pub async fn inspect(&self, name: &str) -> Result<Network> {
        self.0.fetch(Call::get(&path(name))).await
    }

    /// One network, as the engine wrote it.
    ///
    /// # Errors
    /// As [`Networks::list`].
    pub async fn inspect_raw(&self, name: &str) -> Result<Bytes> {
        self.0.fetch_raw(Call::get(&path(name))).await
    }

    /// Makes a network.
    ///
    /// # Errors
    /// As [`Networks::list`].
    pub async fn create(&self, request: &NetworkCreateRequest) -> Result<NetworkCreateResponse> {
        let call = Call::post("/networks/create").json(request)?;
        self.0.fetch(call).await
    }

    /// Removes a network.
    ///
    /// # Errors
    /// As [`Networks::list`].
    pub async fn remove(&self, name: &str) -> Result<()> {
        self.0.run(Call::delete(&path(name))).await
    }

    /// Removes all networks that no container is on.
    ///
    /// # Errors
    /// As [`Networks::list`].
    pub async fn prune(&self, filters: &Filters) -> Result<NetworkPruneReport> {
        let query = Query::new().with("filters", filters.encode());
        let call = Call::post("/networks/prune").query(query);
        self.0.fetch(call).await
    }

    /// Puts a container on a network.
    ///
    /// # Errors
    /// As [`Networks::list`].
    pub async fn connect(&self, name: &str, request: &NetworkConnectRequest) -> Result<()> {
        let path = format!("{}/connect", path(name));
        self.0.run(Call::post(&path).json(request)?).await
    }

    /// Takes a container off a network.
    ///
    /// # Errors
    /// As [`Networks::list`].
    pub async fn disconnect(&self, name: &str, request: &NetworkDisconnectRequest) -> Result<()> {
        let path = format!("{}/disconnect", path(name));
        self.0.run(Call::post(&path).json(request)?).await
    }

    /// Publishes more ports of a container.
    ///
    /// # Errors
    /// As [`Networks::list`].
    pub async fn publish(&self, container: &str, request: &PortsRequest) -> Result<PortsResponse> {
        let path = ports(container, "publish");
        self.0.fetch(Call::post(&path).json(request)?).await
    }

    /// Takes published ports of a container back.
    ///
    /// # Errors
    /// As [`Networks::list`].
    pub async fn unpublish(
        &self,
        container: &str,
        request: &PortsRequest,
    ) -> Result<PortsResponse> {
        let path = ports(container, "unpublish");
        self.0.fetch(Call::post(&path).json(request)?).await
    }
}

/// What Docker has no route for.
fn ports(container: &str, what: &str) -> String {
    format!("/tare/v1/containers/{}/{what}", path_segment(container))
}

fn path(name: &str) -> String {
    format!("/networks/{}", path_segment(name))
}
