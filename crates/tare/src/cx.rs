//! What a command is given: settings, the engine's client and the time.

use crate::error::{Outcome, Result};
use crate::settings::Settings;
use crate::{connect, output};
use engine::Prospect;
use jiff::Timestamp;
use tokio::sync::OnceCell;

/// The context of one command.
#[derive(Debug)]
pub(crate) struct Cx {
    pub(crate) settings: Settings,
    client: OnceCell<client::Client>,
}

impl Cx {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            client: OnceCell::new(),
        }
    }

    /// The engine, reached the first time that it is asked for.
    pub(crate) async fn client(&self) -> Result<&client::Client> {
        self.client_to(Prospect::Open).await
    }

    /// As [`Cx::client`], for who knows what will be asked of the engine first.
    pub(crate) async fn client_to(&self, prospect: Prospect) -> Result<&client::Client> {
        self.client
            .get_or_try_init(|| connect::client(&self.settings, prospect))
            .await
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Does something to each of the named, prints the names that went well and reports each failure at once.
    pub(crate) async fn each(
        &self,
        names: &[String],
        act: impl AsyncFn(&str) -> Result<()>,
    ) -> Outcome {
        self.each_quietly(names, async |name| {
            act(name).await?;
            output::line(name)
        })
        .await
    }

    /// As [`Cx::each`], but what is printed is the callback's affair.
    pub(crate) async fn each_quietly(
        &self,
        names: &[String],
        act: impl AsyncFn(&str) -> Result<()>,
    ) -> Outcome {
        let mut code = 0;
        for name in names {
            if let Err(error) = act(name).await {
                if error.ends_all() {
                    return Err(error);
                }
                output::failure(&error, "");
                code = 1;
            }
        }
        Ok(code)
    }
}
