//! The engine itself.

use api::ApiVersion;
use api::system::{Info, Version};

use crate::error::Result;
use crate::transport::{Call, Client};

/// What can be asked of the engine.
#[derive(Debug, Clone, Copy)]
pub struct System<'a>(pub(crate) &'a Client);

/// What an engine says of itself before a version is agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// The newest version that it speaks.
    pub api_version: Option<ApiVersion>,
    /// `linux`.
    pub os: String,
}

impl System<'_> {
    /// Whether anybody answers.
    ///
    /// # Errors
    /// Nobody does; so with all that follow.
    pub async fn ping(&self) -> Result<Ping> {
        let answer = self.0.call(Call::get("/_ping")).await?;
        let value = |name: &str| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        Ok(Ping {
            api_version: value("api-version").and_then(|text| text.parse().ok()),
            os: value("ostype").unwrap_or_default().to_owned(),
        })
    }

    /// The engine's version.
    ///
    /// # Errors
    /// As [`System::ping`].
    pub async fn version(&self) -> Result<Version> {
        self.0.fetch(Call::get("/version")).await
    }

    /// What the engine and its machine are.
    ///
    /// # Errors
    /// As [`System::ping`].
    pub async fn info(&self) -> Result<Info> {
        self.0.fetch(Call::get("/info")).await
    }
}
