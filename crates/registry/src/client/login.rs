//! Whether a registry takes somebody's credentials.

use spec::Reference;

use super::remote::{Ask, Remote};
use super::{Access, Client, token};
use crate::credential::Credentials;
use crate::error::{Error, Kind, Result};

/// What a login gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// A refresh token to keep in place of the password, if the registry's token server gives one.
    pub identity: Option<String>,
}

impl Client {
    /// Shows credentials to a registry.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] if it does not take them; or it can't be reached.
    pub async fn login(&self, registry: &str, credentials: &Credentials) -> Result<LoggedIn> {
        let remote = self.root(registry, credentials)?;
        remote.send(|| Ask::get("/")).await.map_err(wrong)?;
        let Some(challenge) = remote.challenge().await else {
            return Ok(LoggedIn { identity: None });
        };
        let name = format!("https://{registry}/");
        let registry = name.parse().map_err(|e: http::uri::InvalidUri| {
            Error::caused(Kind::Invalid, "log in at", name, e)
        })?;
        let wanted = token::Wanted {
            challenge: &challenge,
            scopes: &[],
            registry: &registry,
            offline: true,
        };
        // The registry has taken the credentials by now; that its token server gives no refresh token is no failure.
        let token = remote.token(credentials, &wanted).await;
        Ok(LoggedIn {
            identity: token.ok().and_then(|token| token.refresh),
        })
    }

    /// The registry itself, for what belongs to no repository.
    pub(super) fn root(&self, registry: &str, credentials: &Credentials) -> Result<Remote> {
        let reference = Reference::parse(&format!("{registry}/x"))
            .map_err(|e| Error::caused(Kind::Invalid, "reach", registry, e))?;
        self.repository(&reference, credentials, Access::Pull)?
            .main()
            .without_scope()
    }
}

fn wrong(error: Error) -> Error {
    if error.kind == Kind::Unauthorized {
        return error.hint("check name and password");
    }
    error
}
