use super::*;

const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const ID: &str = "0123456789abcdef0123456789abcdef";

fn shown(path: &str) -> String {
    match Route::parse(path) {
        Ok(Route::Base) => "base".to_owned(),
        Ok(Route::Catalog) => "catalog".to_owned(),
        Ok(Route::Tags(n)) => format!("tags {n}"),
        Ok(Route::Manifest(n, Target::Tag(t))) => format!("manifest {n} {t}"),
        Ok(Route::Manifest(n, Target::Digest(_))) => format!("manifest {n} digest"),
        Ok(Route::Referrers(n, _)) => format!("referrers {n}"),
        Ok(Route::Blob(n, _)) => format!("blob {n}"),
        Ok(Route::Uploads(n)) => format!("uploads {n}"),
        Ok(Route::Upload(n, id)) => format!("upload {n} {id}"),
        Err(refusal) => format!("{} {}", refusal.status.as_u16(), refusal.code),
    }
}

#[test]
fn every_end_point() {
    for (path, expected) in [
        ("/v2", "base".to_owned()),
        ("/v2/", "base".to_owned()),
        ("/v2/_catalog", "catalog".to_owned()),
        ("/v2/a/b/tags/list", "tags a/b".to_owned()),
        ("/v2/a/manifests/latest", "manifest a latest".to_owned()),
        (
            "/v2/a/blobs/uploads/manifests/v1",
            "manifest a/blobs/uploads v1".to_owned(),
        ),
        ("/v2/tags/list/tags/list", "tags tags/list".to_owned()),
        ("/v2/a/blobs/uploads/", "uploads a".to_owned()),
        ("/v2/a/blobs/uploads", "uploads a".to_owned()),
        (
            &format!("/v2/a/manifests/sha256:{HEX}"),
            "manifest a digest".to_owned(),
        ),
        (
            &format!("/v2/a/manifests/sha256%3A{HEX}"),
            "manifest a digest".to_owned(),
        ),
        (
            &format!("/v2/a/blobs/b/blobs/sha256:{HEX}"),
            "blob a/blobs/b".to_owned(),
        ),
        (
            &format!("/v2/a/referrers/sha256:{HEX}"),
            "referrers a".to_owned(),
        ),
        (
            &format!("/v2/a/blobs/uploads/{ID}"),
            format!("upload a {ID}"),
        ),
    ] {
        assert_eq!(shown(path), expected, "{path}");
    }
}

#[test]
fn what_is_none() {
    for (path, expected) in [
        ("/", "404 UNSUPPORTED"),
        ("/v1/", "404 UNSUPPORTED"),
        ("/v2x", "404 UNSUPPORTED"),
        ("/v2/a", "404 UNSUPPORTED"),
        ("/v2/a/other/x", "404 UNSUPPORTED"),
        ("/v2/%zz/tags/list", "404 UNSUPPORTED"),
        ("/v2/%ff/tags/list", "404 UNSUPPORTED"),
        ("/v2/A/tags/list", "400 NAME_INVALID"),
        ("/v2/../tags/list", "400 NAME_INVALID"),
        ("/v2/%2e%2e/tags/list", "400 NAME_INVALID"),
        ("/v2/a//b/tags/list", "400 NAME_INVALID"),
        ("/v2/a%00/tags/list", "400 NAME_INVALID"),
        ("/v2/_uploads/tags/list", "400 NAME_INVALID"),
        ("/v2/a/manifests/..", "400 TAG_INVALID"),
        ("/v2/a/manifests/%2e%2e%2fx", "404 UNSUPPORTED"),
        ("/v2/a/manifests/sha256:bad", "400 DIGEST_INVALID"),
        ("/v2/a/blobs/sha256:baddigeststring", "400 DIGEST_INVALID"),
        ("/v2/a/blobs/latest", "400 DIGEST_INVALID"),
        // The last words decide: `..` is no kind of resource.
        ("/v2/a/blobs/uploads/../x", "404 UNSUPPORTED"),
        ("/v2/a/blobs/uploads/x", "404 BLOB_UPLOAD_UNKNOWN"),
    ] {
        assert_eq!(shown(path), expected, "{path}");
    }
}

#[test]
fn queries() {
    let query = Query::parse(Some("digest=sha256%3Aab&n=&tag=a&tag=b+c&=x&bad=%zz&flag"));
    assert_eq!(query.get("digest"), Some("sha256:ab"));
    assert_eq!(query.get("n"), Some(""));
    assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a", "b c"]);
    assert_eq!(query.get("flag"), Some(""));
    assert_eq!(query.get("bad"), None);
    assert_eq!(Query::parse(None).get("x"), None);
}
