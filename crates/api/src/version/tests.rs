use super::*;

#[test]
fn paths() {
    assert_eq!(
        split_path("/v1.41/info"),
        (Some(ApiVersion::new(1, 41)), "/info")
    );
    assert_eq!(split_path("/info"), (None, "/info"));
    assert_eq!(split_path("/version"), (None, "/version"));
    assert_eq!(split_path("/volumes/v"), (None, "/volumes/v"));
    assert_eq!(split_path("/v1.41"), (Some(ApiVersion::new(1, 41)), ""));
    assert_eq!(split_path("/v1.+1/info"), (None, "/v1.+1/info"));
}

#[test]
fn bounds_are_refused_in_dockers_words() {
    assert_eq!(ApiVersion::new(1, 40).check(), Ok(ApiVersion::new(1, 40)));
    assert!(
        ApiVersion::new(1, 9)
            .check()
            .unwrap_err()
            .starts_with("client version 1.9 is too old. Minimum supported API version is 1.24")
    );
    assert_eq!(
        ApiVersion::new(2, 0).check().unwrap_err(),
        "client version 2.0 is too new. Maximum supported API version is 1.51"
    );
}
