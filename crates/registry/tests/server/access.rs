//! Users, passwords, tokens and rights, as clients meet them; our own client among them.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::server::{Access, Action, Pattern, Rule, Settings, Who};
use spec::Digest;

use super::place::{Answer, Place, settings};

/// `htpasswd -B`, at its lowest cost.
fn line(user: &str, password: &str) -> String {
    format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap())
}

fn rule(pattern: &str, who: Who, actions: &[Action]) -> Rule {
    Rule {
        repositories: vec![Pattern::parse(pattern).unwrap()],
        who: vec![who],
        actions: actions.iter().copied().collect(),
    }
}

struct Guarded {
    place: Place,
    users: tempfile::NamedTempFile,
}

impl Guarded {
    async fn start() -> Self {
        let mut users = tempfile::NamedTempFile::new().unwrap();
        let text = line("alice", "secret") + &line("bob", "hunter2");
        users.write_all(text.as_bytes()).unwrap();
        let all = [Action::Pull, Action::Push, Action::Delete];
        let rules = vec![
            rule("public/**", Who::Anybody, &[Action::Pull]),
            rule("public/**", Who::User("alice".to_owned()), &all),
            rule("{user}/**", Who::Users, &all),
            rule("shared/**", Who::Users, &[Action::Pull, Action::Push]),
        ];
        let access = Access::users(users.path().to_owned(), rules).unwrap();
        let settings = Settings {
            access: Arc::new(access),
            ..settings()
        };
        let place = Place::memory(settings).await;
        Self { place, users }
    }

    async fn ask(&self, user: &str, method: &str, path: &str) -> Answer {
        match user {
            "" => self.place.ask(method, path, &[], "").await,
            user => {
                let shown = basic(user);
                let headers = [("authorization", shown.as_str())];
                self.place.ask(method, path, &headers, "").await
            }
        }
    }

    async fn token(&self, user: &str, query: &str) -> String {
        let answer = self
            .ask(user, "GET", &format!("/token?{query}"))
            .await
            .is(200);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    async fn bearer(&self, token: &str, method: &str, path: &str) -> Answer {
        let shown = format!("Bearer {token}");
        self.place
            .ask(method, path, &[("authorization", &shown)], "")
            .await
    }
}

fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(user))
}

const ALICE: &str = "alice:secret";
const BOB: &str = "bob:hunter2";

#[tokio::test]
async fn every_verb_asks_for_its_right() {
    let guarded = Guarded::start().await;
    let digest = Digest::of("x");
    let verbs = [
        ("GET", "manifests/v1".to_owned(), Action::Pull),
        ("HEAD", format!("blobs/{digest}"), Action::Pull),
        ("GET", "tags/list".to_owned(), Action::Pull),
        ("GET", format!("referrers/{digest}"), Action::Pull),
        ("PUT", "manifests/v1".to_owned(), Action::Push),
        ("POST", "blobs/uploads/".to_owned(), Action::Push),
        (
            "PATCH",
            format!("blobs/uploads/{}", "a".repeat(32)),
            Action::Push,
        ),
        (
            "PUT",
            format!("blobs/uploads/{}?digest={digest}", "a".repeat(32)),
            Action::Push,
        ),
        ("DELETE", "manifests/v1".to_owned(), Action::Delete),
        ("DELETE", format!("manifests/{digest}"), Action::Delete),
        ("DELETE", format!("blobs/{digest}"), Action::Delete),
    ];
    for (user, repository, allowed) in [
        ("", "public/a", &[Action::Pull][..]),
        ("", "alice/a", &[]),
        (
            ALICE,
            "public/a",
            &[Action::Pull, Action::Push, Action::Delete],
        ),
        (
            ALICE,
            "alice/a",
            &[Action::Pull, Action::Push, Action::Delete],
        ),
        (ALICE, "shared/a", &[Action::Pull, Action::Push]),
        (ALICE, "bob/a", &[]),
        (BOB, "public/a", &[Action::Pull]),
    ] {
        for (method, rest, action) in &verbs {
            let path = format!("/v2/{repository}/{rest}");
            let status = guarded.ask(user, method, &path).await.status;
            let refused = if user.is_empty() { 401 } else { 403 };
            let fits = (status == 401 || status == 403) != allowed.contains(action);
            assert!(fits, "{user} {method} {path}: {status}");
            assert!(
                allowed.contains(action) || status == refused,
                "{user} {method} {path}: {status}"
            );
        }
    }
    guarded.place.end();
}

#[tokio::test]
async fn clients_learn_how_to_log_in() {
    let guarded = Guarded::start().await;
    let refused = guarded
        .ask("", "GET", "/v2/")
        .await
        .refused(401, "UNAUTHORIZED");
    let challenge = "Bearer realm=\"http://registry/token\",service=\"registry\"";
    assert_eq!(refused.header("www-authenticate"), challenge);
    let refused = guarded
        .ask("", "PUT", "/v2/public/a/manifests/v1")
        .await
        .is(401);
    let scope = format!("{challenge},scope=\"repository:public/a:pull,push\"");
    assert_eq!(refused.header("www-authenticate"), scope);
    guarded.ask(ALICE, "GET", "/v2/").await.is(200);
    for wrong in ["alice:wrong", "nobody:secret", "alice:", ":", "alice"] {
        guarded
            .ask(wrong, "GET", "/v2/")
            .await
            .refused(401, "UNAUTHORIZED");
        guarded
            .ask(wrong, "GET", "/token")
            .await
            .refused(401, "UNAUTHORIZED");
        // Who says something wrong does not even get what anybody gets.
        guarded
            .ask(wrong, "GET", "/v2/public/a/tags/list")
            .await
            .is(401);
    }
    guarded.ask("", "GET", "/metrics").await.is(401);
    guarded.ask(BOB, "GET", "/metrics").await.is(200);
    guarded.ask("", "GET", "/healthz").await.is(200);
    guarded.place.end();
}

#[tokio::test]
async fn tokens_do_what_they_were_given_for() {
    let guarded = Guarded::start().await;
    let path = |repository: &str| format!("/v2/{repository}/blobs/uploads/");
    let token = guarded
        .token(
            ALICE,
            "service=registry&scope=repository:alice/a:pull,push&scope=repository:bob/b:pull",
        )
        .await;
    guarded.bearer(&token, "GET", "/v2/").await.is(200);
    guarded
        .bearer(&token, "POST", &path("alice/a"))
        .await
        .is(202);
    // Hers too, but not asked for: another token will do.
    let more = guarded
        .bearer(&token, "POST", &path("alice/b"))
        .await
        .refused(401, "UNAUTHORIZED");
    assert!(
        more.header("www-authenticate")
            .contains("error=\"insufficient_scope\"")
    );
    // Not hers, whatever was asked for.
    guarded
        .bearer(&token, "GET", "/v2/bob/b/tags/list")
        .await
        .refused(403, "DENIED");
    let anonymous = guarded
        .token("", "scope=repository:public/a:pull,push")
        .await;
    guarded
        .bearer(&anonymous, "GET", "/v2/public/a/tags/list")
        .await
        .is(404);
    guarded
        .bearer(&anonymous, "POST", &path("public/a"))
        .await
        .is(401);
    for forged in [
        "",
        "x",
        "a.b.c",
        &format!("{token}x"),
        &token[..token.len() - 1],
    ] {
        guarded
            .bearer(forged, "GET", "/v2/")
            .await
            .refused(401, "UNAUTHORIZED");
    }
    guarded.place.end();
}

#[tokio::test]
async fn tokens_for_tokens() {
    let guarded = Guarded::start().await;
    let form = "grant_type=password&service=registry&username=alice&password=secret&access_type=offline&scope=repository%3Aalice%2Fa%3Apull%2Cpush";
    let answer = guarded
        .place
        .ask("POST", "/token", &[], form)
        .await
        .is(200)
        .json();
    assert_eq!(answer["expires_in"], 300);
    let refresh = answer["refresh_token"].as_str().unwrap();
    // It is for nothing else.
    guarded
        .bearer(refresh, "GET", "/v2/")
        .await
        .refused(401, "UNAUTHORIZED");
    let form = format!(
        "grant_type=refresh_token&service=registry&refresh_token={refresh}&scope=repository:alice/b:pull,push"
    );
    let answer = guarded
        .place
        .ask("POST", "/token", &[], form.clone())
        .await
        .is(200)
        .json();
    let token = answer["access_token"].as_str().unwrap();
    guarded
        .bearer(token, "POST", "/v2/alice/b/blobs/uploads/")
        .await
        .is(202);
    for wrong in [
        "grant_type=password&username=alice&password=no",
        "grant_type=refresh_token&refresh_token=x",
        "",
    ] {
        guarded
            .place
            .ask("POST", "/token", &[], wrong)
            .await
            .refused(401, "UNAUTHORIZED");
    }
    guarded
        .place
        .ask("PUT", "/token", &[], "")
        .await
        .refused(405, "UNSUPPORTED");
    // A user that is gone is gone at once, with all tokens.
    let other = tempfile::NamedTempFile::new().unwrap();
    other
        .as_file()
        .write_all(line("bob", "hunter3").as_bytes())
        .unwrap();
    std::fs::copy(other.path(), guarded.users.path()).unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    guarded
        .bearer(token, "GET", "/v2/")
        .await
        .refused(401, "UNAUTHORIZED");
    guarded
        .place
        .ask("POST", "/token", &[], form)
        .await
        .refused(401, "UNAUTHORIZED");
    guarded.ask(BOB, "GET", "/v2/").await.is(401);
    guarded.ask("bob:hunter3", "GET", "/v2/").await.is(200);
    guarded.place.end();
}

#[tokio::test]
async fn lists_and_mounts_show_what_may_be_read() {
    let guarded = Guarded::start().await;
    let place = &guarded.place;
    for (user, repository) in [(ALICE, "alice/a"), (ALICE, "public/a"), (BOB, "bob/a")] {
        let shown = basic(user);
        let auth = ("authorization", shown.as_str());
        let digest = Digest::of(repository);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        place
            .ask("POST", &path, &[auth], repository.to_owned())
            .await
            .is(201);
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        place
            .ask(
                "PUT",
                &format!("/v2/{repository}/manifests/v1"),
                &[auth],
                index,
            )
            .await
            .is(201);
    }
    for (user, visible) in [
        ("", vec!["public/a"]),
        (ALICE, vec!["alice/a", "public/a"]),
        (BOB, vec!["bob/a", "public/a"]),
    ] {
        let list = guarded.ask(user, "GET", "/v2/_catalog?n=5").await.is(200);
        assert_eq!(
            list.json()["repositories"],
            serde_json::json!(visible),
            "{user}"
        );
    }
    let theirs = Digest::of("bob/a");
    for query in [
        format!("mount={theirs}&from=bob/a"),
        format!("mount={theirs}"),
    ] {
        guarded
            .ask(
                ALICE,
                "POST",
                &format!("/v2/alice/a/blobs/uploads/?{query}"),
            )
            .await
            .is(202);
        guarded
            .ask(ALICE, "GET", &format!("/v2/alice/a/blobs/{theirs}"))
            .await
            .is(404);
    }
    let public = Digest::of("public/a");
    guarded
        .ask(
            BOB,
            "POST",
            &format!("/v2/bob/a/blobs/uploads/?mount={public}&from=public/a"),
        )
        .await
        .is(201);
    // An upload is its user's.
    let begun = guarded
        .ask(ALICE, "POST", "/v2/shared/a/blobs/uploads/")
        .await
        .is(202);
    guarded
        .ask(BOB, "GET", begun.header("location"))
        .await
        .refused(404, "BLOB_UPLOAD_UNKNOWN");
    guarded
        .ask(BOB, "DELETE", begun.header("location"))
        .await
        .refused(404, "BLOB_UPLOAD_UNKNOWN");
    guarded
        .ask(ALICE, "DELETE", begun.header("location"))
        .await
        .is(204);
    guarded.place.end();
}

#[tokio::test]
async fn files_of_users_that_make_no_sense() {
    for (text, why) in [
        ("alice\n", "line 1"),
        ("# x\n\nbob:{SHA}abc\n", "htpasswd -B"),
        ("a:$apr1$x\n", "bcrypt"),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all(text.as_bytes()).unwrap();
        let error = Access::users(file.path().to_owned(), vec![Rule::users()]).unwrap_err();
        assert!(error.chain().contains(why), "{}", error.chain());
    }
    assert!(Access::users("/nonexistent/users".into(), Vec::new()).is_err());
}

/// Guessing is slow, and does not keep others from working.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_are_bounded() {
    let guarded = Arc::new(Guarded::start().await);
    guarded.ask(ALICE, "GET", "/v2/").await.is(200);
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..200 {
        let guarded = Arc::clone(&guarded);
        guesses.spawn(async move {
            guarded
                .ask(&format!("alice:{n}"), "GET", "/v2/")
                .await
                .status
        });
    }
    // Whoever was right needs no comparison.
    guarded.ask(ALICE, "GET", "/v2/").await.is(200);
    let mut statuses = Vec::new();
    while let Some(status) = guesses.join_next().await {
        statuses.push(status.unwrap());
    }
    assert!(statuses.iter().all(|s| matches!(s, 401 | 429)));
    Arc::into_inner(guarded).unwrap().place.end();
}
