use axum::body::Body;
use http::{Method, header};
use http_body_util::BodyExt as _;

use super::*;

/// The layers in front of the routes, and routes that need no engine.
fn front_router() -> Router {
    let routes = Router::new()
        .route("/_ping", get(system::ping))
        .route(
            "/echo",
            get(async |speaks: Speaks, request: Request| format!("{} {}", speaks.0, request.uri())),
        )
        .route(
            "/containers/{name}/echo",
            get(async |speaks: Speaks, request: Request| format!("{} {}", speaks.0, request.uri())),
        )
        .route(
            "/json",
            post(async |body: crate::request::Json<api::exec::ExecStart>| {
                body.0.detach.to_string()
            }),
        )
        .fallback(not_found)
        .method_not_allowed_fallback(not_found);
    Router::new().fallback(front).with_state(routes)
}

async fn ask(request: http::request::Builder, body: impl Into<Body>) -> (StatusCode, String) {
    let response = front_router()
        .call(request.body(body.into()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.headers()["api-version"], "1.51");
    assert_eq!(response.headers()["ostype"], "linux");
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn get_request(path: &str) -> http::request::Builder {
    Request::builder().uri(path)
}

#[test]
fn the_header_says_the_newest_version() {
    assert_eq!(API_VERSION, api::ApiVersion::MAX.to_string());
}

#[tokio::test]
async fn versions_are_taken_from_the_path() {
    let echo = async |path: &str| ask(get_request(path), "").await.1;
    assert_eq!(echo("/v1.41/echo?a=b%20c").await, "1.41 /echo?a=b%20c");
    assert_eq!(echo("/echo").await, "1.51 /echo");
    assert_eq!(echo("http://host/v1.30/echo").await, "1.30 /echo");
    assert_eq!(
        echo("/v1.30/containers//web/echo?a").await,
        "1.30 /containers/web/echo?a"
    );
    let (status, text) = ask(get_request("/v1.12/echo"), "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("client version 1.12 is too old"), "{text}");
    let (status, text) = ask(get_request("/v1.99/_ping"), "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("client version 1.99 is too new"), "{text}");
}

#[tokio::test]
async fn unknown_pages() {
    for path in [
        "/nothing",
        "/v1.41",
        "/v1.41/",
        "//echo",
        "/v1.41//echo",
        "/vx/echo",
    ] {
        let (status, text) = ask(get_request(path), "").await;
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::NOT_FOUND, r#"{"message":"page not found"}"#),
            "{path}"
        );
    }
    let (status, _) = ask(get_request("/echo").method(Method::POST), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn ping_is_answered_to_both_methods() {
    assert_eq!(
        ask(get_request("/_ping"), "").await,
        (StatusCode::OK, "OK".to_owned())
    );
    let head = get_request("/v1.24/_ping").method(Method::HEAD);
    assert_eq!(ask(head, "").await, (StatusCode::OK, String::new()));
}

#[tokio::test]
async fn web_pages_are_refused() {
    let request = get_request("/_ping").header(ORIGIN, "http://example.org");
    assert_eq!(ask(request, "").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn json_is_asked_for_by_its_name() {
    let post = |kind: Option<&str>| {
        let request = get_request("/json").method(Method::POST);
        match kind {
            Some(kind) => request.header(header::CONTENT_TYPE, kind),
            None => request,
        }
    };
    let json = Some("application/json; charset=utf-8");
    assert_eq!(
        ask(post(json), r#"{"detach":true}"#).await,
        (StatusCode::OK, "true".to_owned())
    );
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let (status, _) = ask(post(kind), r#"{"Detach":true}"#).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
    }
    let (status, text) = ask(post(json), "{").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.starts_with(r#"{"message":"invalid JSON: "#), "{text}");
    let (status, text) = ask(post(json), "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("EOF"), "{text}");
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(9 << 20));
    assert_eq!(
        ask(post(json), large).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}
