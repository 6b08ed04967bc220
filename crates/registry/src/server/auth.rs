//! Who asks: passwords, tokens, and where tokens come from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::json;

use super::access::{Action, Caller, Grant, Verdict};
use super::body::Body;
use super::name::Name;
use super::refusal::Refusal;
use super::route::Query;
use super::serve::Scheme;
use super::upload::collect;
use super::{Server, access, random_id};

/// Where this registry gives its tokens.
pub(super) const PATH: &str = "/token";
/// Bytes of a form, and scopes in one request.
const FORM: usize = 64 << 10;
const SCOPES: usize = 64;

impl Server {
    /// Who asks, by what the head shows. Who shows something wrong is nobody, and is told so.
    pub(super) async fn identify(&self, head: &Parts) -> Result<Caller, Refusal> {
        let Some(passwords) = self.access().passwords() else {
            return Ok(Caller::default());
        };
        let Some(shown) = head.headers.get(header::AUTHORIZATION) else {
            return Ok(Caller::default());
        };
        let shown = shown.to_str().unwrap_or_default();
        let (scheme, value) = shown.split_once(' ').unwrap_or((shown, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            let service = self.service(&head.headers);
            let read = self.tickets().read(value.trim(), &service, self.now());
            let complain = |error: &_| self.complain(error);
            let there = |user: &String| passwords.knows(user, &complain);
            return match read {
                Some((user, scope)) if user.as_ref().is_none_or(there) => {
                    Ok(Caller::with_scope(user, scope))
                }
                _ => Err(self.unauthorized(head, None)),
            };
        }
        let Some((user, password)) = basic(scheme, value) else {
            return Err(self.unauthorized(head, None));
        };
        let complain = |error: &_| self.complain(error);
        match passwords.check(&user, &password, &complain).await {
            Verdict::Right => Ok(Caller::known(&user)),
            Verdict::Wrong => Err(self.unauthorized(head, None)),
            Verdict::Busy => Err(busy()),
        }
    }

    /// Refuses what a caller may not do; who might if they said who they are is asked for that.
    pub(super) fn authorize(
        &self,
        head: &Parts,
        caller: &Caller,
        name: &Name,
        action: Action,
    ) -> Result<(), Refusal> {
        let allowed = self.access().allows(caller, name, action);
        if allowed && caller.covers(name, action) {
            return Ok(());
        }
        if !allowed && !caller.is_anonymous() {
            let why = "requested access to the resource is denied";
            return Err(Refusal::denied(why));
        }
        Err(self.unauthorized(head, Some((name, action))))
    }

    /// Whether a caller may read a repository, by the rules and by what it shows.
    pub(super) fn may_pull(&self, caller: &Caller, name: &Name) -> bool {
        let pull = Action::Pull;
        self.access().allows(caller, name, pull) && caller.covers(name, pull)
    }

    /// Only who is known may go on, if there are users at all.
    pub(super) fn require_user(&self, head: &Parts, caller: &Caller) -> Result<(), Refusal> {
        if self.access().is_open() || !caller.is_anonymous() {
            return Ok(());
        }
        Err(self.unauthorized(head, None))
    }

    /// `/v2/` is where clients learn how to log in: without a token, they are asked for one.
    pub(super) fn require_token(&self, head: &Parts) -> Result<(), Refusal> {
        if self.access().is_open() || head.headers.contains_key(header::AUTHORIZATION) {
            return Ok(());
        }
        Err(self.unauthorized(head, None))
    }

    fn unauthorized(&self, head: &Parts, wanted: Option<(&Name, Action)>) -> Refusal {
        let service = self.service(&head.headers);
        let scheme = match head.extensions.get::<Scheme>() {
            Some(Scheme::Https) => "https",
            _ => "http",
        };
        let base = match &self.0.settings.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("{scheme}://{service}"),
        };
        let mut challenge = format!("Bearer realm=\"{base}{PATH}\",service=\"{service}\"");
        if let Some((name, action)) = wanted {
            let actions = match action {
                Action::Pull => "pull",
                Action::Push => "pull,push",
                Action::Delete => "delete",
            };
            challenge.push_str(&format!(",scope=\"repository:{name}:{actions}\""));
        }
        if head.headers.contains_key(header::AUTHORIZATION) {
            let error = match wanted {
                Some(_) => "insufficient_scope",
                None => "invalid_token",
            };
            challenge.push_str(&format!(",error=\"{error}\""));
        }
        Refusal::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "authentication required",
        )
        .header(header::WWW_AUTHENTICATE, &challenge)
    }

    /// How clients call this registry. Only letters of hosts: it goes into a quoted text.
    fn service(&self, headers: &HeaderMap) -> String {
        let host = match &self.0.settings.url {
            Some(url) => url
                .split("://")
                .last()
                .map(|rest| rest.trim_end_matches('/')),
            None => headers.get(header::HOST).and_then(|v| v.to_str().ok()),
        };
        let letter = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        host.unwrap_or_default()
            .chars()
            .filter(|c| letter(*c))
            .collect()
    }

    /// Gives tokens: to users what they may do of what they ask for, to others what anybody may.
    pub(super) async fn token(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        if self.access().is_open() {
            return Err(Refusal::not_found());
        }
        let (head, body) = request.into_parts();
        match head.method {
            Method::GET => {
                let caller = self.identify(&head).await?;
                let query = Query::parse(head.uri.query());
                let offline = query.get("offline_token") == Some("true");
                self.give(&head, &caller, &query, offline)
            }
            Method::POST => {
                let form = collect(body, FORM, self.limits().idle).await?;
                let form = String::from_utf8(form.into()).unwrap_or_default();
                let form = Query::parse(Some(&form));
                let caller = self.log_in(&head, &form).await?;
                let offline = form.get("access_type") == Some("offline")
                    || form.get("grant_type") == Some("refresh_token");
                self.give(&head, &caller, &form, offline)
            }
            _ => Err(Refusal::unsupported("GET, POST")),
        }
    }

    async fn log_in(&self, head: &Parts, form: &Query) -> Result<Caller, Refusal> {
        let get = |name| form.get(name).unwrap_or_default();
        let Some(passwords) = self.access().passwords() else {
            return Err(Refusal::not_found());
        };
        let complain = |error: &_| self.complain(error);
        if get("grant_type") == "refresh_token" {
            let service = self.service(&head.headers);
            let token = get("refresh_token");
            let user = self.tickets().read_refresh(token, &service, self.now());
            // A user that is gone gets nothing any more.
            let user = user.filter(|user| passwords.knows(user, &complain));
            let user = user.ok_or_else(|| self.unauthorized(head, None))?;
            return Ok(Caller::known(&user));
        }
        let (user, password) = (get("username"), get("password"));
        match passwords.check(user, password, &complain).await {
            Verdict::Right => Ok(Caller::known(user)),
            Verdict::Wrong => Err(self.unauthorized(head, None)),
            Verdict::Busy => Err(busy()),
        }
    }

    fn give(
        &self,
        head: &Parts,
        caller: &Caller,
        asked: &Query,
        offline: bool,
    ) -> Result<Response<Body>, Refusal> {
        let scopes = asked.all("scope").flat_map(|scope| scope.split(' '));
        let granted = scopes
            .filter(|s| !s.is_empty())
            .take(SCOPES)
            .filter_map(|scope| {
                let (name, mut actions) = Grant::parse(scope)?;
                actions.retain(|action| self.access().allows(caller, &name, *action));
                (!actions.is_empty()).then(|| Grant::new(&name, &actions))
            });
        let granted = granted.collect();
        let service = self.service(&head.headers);
        let user = (!caller.is_anonymous()).then(|| caller.name());
        let now = self.now();
        let token = self
            .tickets()
            .access(&service, user, granted, (now, random_id()?));
        let issued = jiff::Timestamp::from_second(now).unwrap_or_default();
        let mut answer = json!({
            "token": token,
            "access_token": token,
            "expires_in": access::LIFE,
            "issued_at": issued.to_string(),
        });
        if let Some(user) = user.filter(|_| offline) {
            let refresh = self.tickets().refresh(&service, user, (now, random_id()?));
            answer["refresh_token"] = json!(refresh);
        }
        let mut response = Response::new(Body::text(answer.to_string()));
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, kind);
        let never = HeaderValue::from_static("no-store");
        headers.insert(header::CACHE_CONTROL, never);
        Ok(response)
    }
}

fn basic(scheme: &str, value: &str) -> Option<(String, String)> {
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn busy() -> Refusal {
    let why = "too many passwords are being compared: try again";
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", why)
        .header(header::RETRY_AFTER, "2")
}
