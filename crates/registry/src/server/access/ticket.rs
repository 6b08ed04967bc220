//! Tokens of this registry's own: who, for what, until when, signed with a secret that only servers of this storage have.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::Action;
use crate::server::name::Name;

/// The only header that is made, and so the only one that is taken: no algorithm, key or certificate of the sender's choice
/// (CVE-2025-24976).
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const ISSUER: &str = "tare registry";
/// How long one is good for: what is forbidden meanwhile is forbidden at once, because the rules are asked at each use.
pub(crate) const LIFE: i64 = 300;
/// How long whoever asked for one may come back for others without a password.
const LONG_LIFE: i64 = 30 * 24 * 60 * 60;

/// What a token was given for in one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    actions: Vec<String>,
}

impl Grant {
    /// Reads a scope: `repository:team/app:pull,push`.
    pub(crate) fn parse(scope: &str) -> Option<(Name, Vec<Action>)> {
        let rest = scope.strip_prefix("repository:")?;
        let (name, actions) = rest.rsplit_once(':')?;
        let all = [Action::Pull, Action::Push, Action::Delete];
        let wanted = |action: &Action| {
            let mut words = actions.split(',');
            words.any(|word| word == "*" || word == action.word())
        };
        Some((Name::parse(name)?, all.into_iter().filter(wanted).collect()))
    }

    pub(crate) fn new(name: &Name, actions: &[Action]) -> Self {
        Self {
            kind: "repository".to_owned(),
            name: name.to_string(),
            actions: actions.iter().map(|a| a.word().to_owned()).collect(),
        }
    }

    pub(crate) fn covers(&self, name: &Name, action: Action) -> bool {
        self.kind == "repository"
            && self.name == name.as_str()
            && self.actions.iter().any(|word| word == action.word())
    }
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Use {
    /// For requests.
    Access,
    /// For other tokens.
    Refresh,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    #[serde(rename = "use")]
    purpose: Use,
    #[serde(default)]
    access: Vec<Grant>,
}

/// Makes tokens and reads them.
#[derive(Debug)]
pub(crate) struct Tickets {
    key: hmac::Key,
}

impl Tickets {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
        }
    }

    /// A token for requests of `service`.
    pub(crate) fn access(
        &self,
        service: &str,
        user: Option<&str>,
        access: Vec<Grant>,
        (now, id): (i64, String),
    ) -> String {
        self.sign(&claims(service, user, access, (now, id, Use::Access)))
    }

    /// A token with which `user` gets others.
    pub(crate) fn refresh(&self, service: &str, user: &str, (now, id): (i64, String)) -> String {
        self.sign(&claims(
            service,
            Some(user),
            Vec::new(),
            (now, id, Use::Refresh),
        ))
    }

    fn sign(&self, claims: &Claims) -> String {
        let text = serde_json::to_vec(claims).unwrap_or_default();
        let head = URL_SAFE_NO_PAD.encode(HEADER);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(text));
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Who shows a token, and for what it was given; none if it is not one of ours, or no longer.
    pub(crate) fn read(
        &self,
        token: &str,
        service: &str,
        now: i64,
    ) -> Option<(Option<String>, Vec<Grant>)> {
        let claims = self.verify(token, service, now)?;
        (claims.purpose == Use::Access).then_some((claims.sub, claims.access))
    }

    /// The user of a token that is for getting others.
    pub(crate) fn read_refresh(&self, token: &str, service: &str, now: i64) -> Option<String> {
        let claims = self.verify(token, service, now)?;
        claims.sub.filter(|_| claims.purpose == Use::Refresh)
    }

    fn verify(&self, token: &str, service: &str, now: i64) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (head, text) = signed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.key, signed.as_bytes(), &signature).ok()?;
        if URL_SAFE_NO_PAD.decode(head).ok()? != HEADER.as_bytes() {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let ours = claims.iss == ISSUER && claims.aud == service;
        // The clocks of two servers may differ a little.
        let in_time = claims.nbf <= now + 60 && now < claims.exp;
        (ours && in_time).then_some(claims)
    }
}

fn claims(
    service: &str,
    user: Option<&str>,
    access: Vec<Grant>,
    (now, id, purpose): (i64, String, Use),
) -> Claims {
    let life = match purpose {
        Use::Access => LIFE,
        Use::Refresh => LONG_LIFE,
    };
    Claims {
        iss: ISSUER.to_owned(),
        aud: service.to_owned(),
        sub: user.map(str::to_owned),
        iat: now,
        nbf: now,
        exp: now + life,
        jti: id,
        purpose,
        access,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn at(now: i64) -> (i64, String) {
        (now, "id".to_owned())
    }

    #[test]
    fn forged_tokens_are_none() {
        let tickets = Tickets::new(b"secret");
        let name = Name::parse("a/b").unwrap();
        let grant = Grant::new(&name, &[Action::Pull]);
        let good = tickets.access("here", Some("me"), vec![grant], at(NOW));
        let (user, access) = tickets.read(&good, "here", NOW).unwrap();
        assert_eq!(user.as_deref(), Some("me"));
        assert!(access[0].covers(&name, Action::Pull));
        assert!(!access[0].covers(&name, Action::Push));
        assert!(tickets.read(&good, "elsewhere", NOW).is_none());
        assert!(tickets.read(&good, "here", NOW + LIFE).is_none());
        assert!(tickets.read(&good, "here", NOW - 61).is_none());
        assert!(tickets.read_refresh(&good, "here", NOW).is_none());
        assert!(Tickets::new(b"other").read(&good, "here", NOW).is_none());
        let refresh = tickets.refresh("here", "me", at(NOW));
        assert!(tickets.read(&refresh, "here", NOW).is_none());
        assert_eq!(
            tickets.read_refresh(&refresh, "here", NOW).as_deref(),
            Some("me")
        );
        let parts: Vec<&str> = good.split('.').collect();
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256","typ":"JWT","jwk":{"kty":"oct","k":"c2VjcmV0"}}"#,
            r#"{"alg":"RS256","x5c":["MII"]}"#,
        ] {
            let head = URL_SAFE_NO_PAD.encode(header);
            let signed = format!("{head}.{}", parts[1]);
            // Even with the right key: nobody but this server makes tokens.
            let signature = hmac::sign(&tickets.key, signed.as_bytes());
            let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
            assert!(tickets.read(&forged, "here", NOW).is_none(), "{header}");
            assert!(tickets.read(&format!("{signed}."), "here", NOW).is_none());
        }
        for bad in ["", ".", "..", "a.b.c", &good[1..], &format!("{good}x")] {
            assert!(tickets.read(bad, "here", NOW).is_none(), "{bad}");
        }
    }

    #[test]
    fn scopes() {
        let (name, actions) = Grant::parse("repository:a/b:pull,push,other").unwrap();
        assert_eq!(
            (name.as_str(), actions),
            ("a/b", vec![Action::Pull, Action::Push])
        );
        let (_, actions) = Grant::parse("repository:a:*").unwrap();
        assert_eq!(actions.len(), 3);
        for bad in [
            "",
            "registry:catalog:*",
            "repository:a",
            "repository:../x:pull",
        ] {
            assert!(Grant::parse(bad).is_none(), "{bad}");
        }
    }
}
