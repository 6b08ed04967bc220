use api::Query;
use http::StatusCode;

use super::*;

fn params(query: &str) -> Params {
    Params(Query::parse(query))
}

fn filtered(filters: &str) -> Params {
    Params(Query::new().with("filters", filters))
}

#[test]
fn what_docker_sends_for_a_filtered_list() {
    let query = "all=1&limit=3&filters=%7B%22name%22%3A%7B%22x%22%3Atrue%7D%2C%22status%22%3A%7B%22exited%22%3Atrue%7D%7D";
    let request = containers(&params(query)).unwrap().unwrap();
    assert!(request.all && !request.size);
    assert_eq!(request.limit, Some(3));
    assert_eq!(request.filters.name, ["x"]);
    assert_eq!(request.filters.status, [Status::Exited]);
}

#[test]
fn no_limit_is_said_in_several_ways() {
    for query in ["", "limit=", "limit=0", "limit=-1"] {
        assert_eq!(
            containers(&params(query)).unwrap().unwrap().limit,
            None,
            "{query}"
        );
    }
    assert!(containers(&params("limit=many")).is_err());
}

#[test]
fn states_that_no_container_is_in_match_nothing() {
    assert_eq!(
        containers(&filtered(r#"{"status":["dead"]}"#)).unwrap(),
        None
    );
    let some = containers(&filtered(r#"{"status":["dead","running"]}"#))
        .unwrap()
        .unwrap();
    assert_eq!(some.filters.status, [Status::Running]);
}

#[test]
fn what_is_not_understood_is_refused() {
    let status = |filters: &str| containers(&filtered(filters)).unwrap_err().status;
    assert_eq!(status(r#"{"status":["happy"]}"#), StatusCode::BAD_REQUEST);
    assert_eq!(status(r#"{"exited":["x"]}"#), StatusCode::BAD_REQUEST);
    assert_eq!(status(r#"{"nme":["x"]}"#), StatusCode::BAD_REQUEST);
    assert_eq!(status(r#"{"publish":["80"]}"#), StatusCode::NOT_IMPLEMENTED);
    assert_eq!(status(r#"{"health":["fine"]}"#), StatusCode::BAD_REQUEST);
    assert_eq!(
        containers(&filtered(r#"{"is-task":["true"]}"#)).unwrap(),
        None
    );
    assert_eq!(status("{"), StatusCode::BAD_REQUEST);
    assert!(images(&filtered(r#"{"dangling":["maybe"]}"#)).is_err());
    assert!(images(&filtered(r#"{"name":["x"]}"#)).is_err());
}

#[test]
fn images_by_reference_and_use() {
    let filters = images(&filtered(
        r#"{"reference":{"busybox":true},"dangling":["false"]}"#,
    ))
    .unwrap();
    assert_eq!(
        (filters.reference, filters.dangling),
        (vec!["busybox".to_owned()], Some(false))
    );
}
