//! What is shown to a host, and how it is got.

use std::time::{Duration, Instant};

use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::{Response, Uri};

use super::Remote;
use crate::challenge::{self, Challenge};
use crate::client::token;
use crate::credential::Credentials;
use crate::error::{Error, Kind, Result};

/// A token is renewed before its end, because it must hold for the time of a request.
const MARGIN: Duration = Duration::from_secs(10);

/// What was last shown and taken.
#[derive(Debug)]
pub(super) struct Authorization {
    value: Option<HeaderValue>,
    ends: Option<Instant>,
    scopes: Vec<String>,
    challenge: Option<Challenge>,
}

impl Authorization {
    pub(super) fn new(scope: String, credentials: &Credentials) -> Self {
        let value = match credentials {
            Credentials::Bearer(token) => bearer(token),
            _ => None,
        };
        Self {
            value,
            ends: None,
            scopes: (!scope.is_empty()).then_some(scope).into_iter().collect(),
            challenge: None,
        }
    }

    pub(super) fn also(&mut self, scope: String) {
        if !self.scopes.contains(&scope) {
            self.scopes.push(scope);
            if self.challenge.is_some() {
                // The token does not have this scope.
                self.value = None;
            }
        }
    }

    fn is_stale(&self) -> bool {
        self.challenge.is_some()
            && (self.value.is_none()
                || self.ends.is_some_and(|ends| Instant::now() + MARGIN > ends))
    }
}

fn bearer(token: &str) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {token}"))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl Remote {
    /// What to show; a token that is about to end is renewed first.
    pub(super) async fn authorization(&self, own: bool) -> Result<Option<HeaderValue>> {
        if !own {
            return Ok(None);
        }
        let mut state = self.0.authorization.lock().await;
        if state.is_stale() {
            self.renew(&mut state).await?;
        }
        Ok(state.value.clone())
    }

    /// Does what a 401 asks for. None if there is nothing more to show.
    pub(super) async fn authorize<B>(
        &self,
        response: &Response<B>,
        uri: &Uri,
    ) -> Result<Option<HeaderValue>> {
        let challenges: Vec<Challenge> = response
            .headers()
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(challenge::parse)
            .take(8)
            .collect();
        let mut state = self.0.authorization.lock().await;
        let find = |scheme: &str| challenges.iter().find(|c| c.scheme == scheme);
        if let Some(bearer) = find("bearer").filter(|c| !c.get("realm").is_empty()) {
            if matches!(self.0.credentials, Credentials::Bearer(_)) {
                return Ok(None);
            }
            state.challenge = Some(bearer.clone());
            self.renew(&mut state).await?;
            return Ok(state.value.clone());
        }
        if find("basic").is_some() {
            let value = self.0.credentials.basic().and_then(|text| sensitive(&text));
            if value.is_some() && value == state.value {
                return Ok(None);
            }
            state.value.clone_from(&value);
            return Ok(value);
        }
        if challenges.is_empty() {
            return Ok(None);
        }
        let scheme = crate::error::shown(&challenges[0].scheme);
        Err(Error::new(
            Kind::Unsupported,
            "log in at",
            uri,
            format!("it asks for {scheme}, which is not known here"),
        ))
    }

    async fn renew(&self, state: &mut Authorization) -> Result<()> {
        let Some(challenge) = state.challenge.clone() else {
            return Ok(());
        };
        let registry = self.address(&super::To::Path("/".to_owned())).await?;
        let wanted = token::Wanted {
            challenge: &challenge,
            scopes: &state.scopes,
            registry: &registry,
            offline: false,
        };
        let token = self.token(&self.0.credentials, &wanted).await?;
        state.value = bearer(&token.token);
        state.ends = Some(Instant::now() + token.lasts);
        Ok(())
    }

    /// The challenge that the host made last.
    pub(in crate::client) async fn challenge(&self) -> Option<Challenge> {
        self.0.authorization.lock().await.challenge.clone()
    }

    /// Gets a token from the server that a challenge names.
    pub(in crate::client) async fn token(
        &self,
        credentials: &Credentials,
        wanted: &token::Wanted<'_>,
    ) -> Result<token::Token> {
        let realm = token::realm(credentials, wanted, &self.0.settings.trusted_realms)?;
        let request = token::request(&realm, credentials, wanted, &self.0.settings.user_agent)?;
        let same = realm.authority() == wanted.registry.authority();
        let pool = if same {
            &self.0.direct
        } else {
            &self.0.elsewhere
        };
        let mut attempts = crate::client::retry::Attempts::new(self.patience());
        loop {
            let answer = async {
                let response = self
                    .transmit(pool, request.clone().map(super::full))
                    .await?;
                if !response.status().is_success() {
                    let idle = self.patience().idle;
                    return Err(super::failure(response, &http::Method::GET, &realm, idle).await);
                }
                token::read(response, self.patience().idle, &realm).await
            };
            match answer.await {
                Ok(token) => return Ok(token),
                Err(error) => attempts.again(error).await?,
            }
        }
    }
}
