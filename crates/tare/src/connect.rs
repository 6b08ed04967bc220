//! Which engine a command talks to, and how.

use crate::error::Result;
use crate::settings::{Host, Settings};
use client::{Client, Connector};

/// The client of the engine that the settings name.
pub(crate) async fn client(settings: &Settings) -> Result<Client> {
    match &settings.host {
        Host::Unix(path) => Ok(Client::new(Connector::unix(path.clone()))),
        Host::Embedded => embedded(settings),
        Host::Auto => {
            let socket = settings.socket();
            if tokio::net::UnixStream::connect(&socket).await.is_ok() {
                return Ok(Client::new(Connector::unix(socket)));
            }
            embedded(settings)
        }
    }
}

fn embedded(settings: &Settings) -> Result<Client> {
    Ok(Client::new(Connector::unix(settings.socket())))
}
