//! Searching: the public registry's own way, and for the others what their catalogue has.

use http::header::ACCEPT;
use serde::Deserialize;

use super::Client;
use super::remote::{Ask, collect};
use super::token::encode;
use crate::credential::Credentials;
use crate::error::{Error, Kind, Result};
use crate::host::{self, PUBLIC};

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchQuery {
    /// The registry; empty for the public one.
    pub registry: String,
    /// The words.
    pub term: String,
    /// At most so many results.
    pub limit: usize,
}

/// A result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Found {
    /// The repository.
    #[serde(default)]
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub description: String,
    /// How many like it.
    #[serde(default)]
    pub star_count: u64,
    /// Whether it is one of the registry's own.
    #[serde(default)]
    pub is_official: bool,
    /// Whether it was built by the registry.
    #[serde(default)]
    pub is_automated: bool,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    results: Vec<Found>,
}

const MAX_ANSWER: usize = 4 << 20;

impl Client {
    /// Looks for repositories.
    ///
    /// # Errors
    /// The registry can't be asked, or can't be searched.
    pub async fn search(
        &self,
        query: &SearchQuery,
        credentials: &Credentials,
    ) -> Result<Vec<Found>> {
        let public = query.registry.is_empty() || query.registry == PUBLIC;
        let place = if public {
            self.0.search.clone()
        } else {
            query.registry.clone()
        };
        match self.search_v1(&place, query, credentials).await {
            Err(error)
                if !public
                    && matches!(
                        error.kind,
                        Kind::NotFound | Kind::Unsupported | Kind::Invalid
                    ) => {}
            other => return other,
        }
        let mut names = self.catalog(&query.registry, credentials).await?;
        names.retain(|name| name.contains(&query.term));
        names.truncate(query.limit);
        let found = |name| Found {
            name: format!("{}/{name}", query.registry),
            ..Found::default()
        };
        Ok(names.into_iter().map(found).collect())
    }

    async fn search_v1(
        &self,
        place: &str,
        query: &SearchQuery,
        credentials: &Credentials,
    ) -> Result<Vec<Found>> {
        let (scheme, authority, _) = host::split_address(place);
        let remote = self.root(&authority, credentials)?.at_root(scheme)?;
        let limit = query.limit.to_string();
        let path = format!(
            "/v1/search?{}",
            encode(&[("q", &query.term), ("n", &limit)])
        );
        let response = remote
            .send(|| Ask::get(path.clone()).header(ACCEPT, "application/json"))
            .await?;
        let idle = remote.patience().idle;
        let bytes = collect(response.into_body(), MAX_ANSWER, idle, &path).await?;
        let page: Page = serde_json::from_slice(&bytes)
            .map_err(|e| Error::caused(Kind::Invalid, "search", place, e))?;
        Ok(page.results.into_iter().take(query.limit).collect())
    }
}
