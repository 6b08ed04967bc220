//! The engine itself.

use api::ApiVersion;
use api::Query;
use api::system::{Finding, Info, Version};

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

    /// What is not as it should be; with `verify` all content is read too. Only this engine's.
    ///
    /// # Errors
    /// As [`System::ping`].
    pub async fn check(&self, verify: bool) -> Result<Vec<Finding>> {
        let query = Query::new().with_flag("verify", verify);
        self.0.fetch(Call::get("/tare/v1/check").query(query)).await
    }

    /// Takes away what nothing needs and nobody has. Only this engine's.
    ///
    /// # Errors
    /// As [`System::ping`].
    pub async fn repair(&self) -> Result<()> {
        self.0.run(Call::post("/tare/v1/repair")).await
    }

    /// What the engine and its machine are.
    ///
    /// # Errors
    /// As [`System::ping`].
    pub async fn info(&self) -> Result<Info> {
        self.0.fetch(Call::get("/info")).await
    }
}
