//! Lists, page by page, and what refers to what.

use super::place::{INDEX, OCI, Place};
use serde_json::{Value, json};
use spec::Digest;

/// Follows the pages of a list.
async fn pages(place: &Place, path: &str, key: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut next = path.to_owned();
    loop {
        let page = place.get(&next).await.is(200);
        let names = page.json()[key].as_array().unwrap().clone();
        found.push(
            names
                .iter()
                .map(|v| v.as_str().unwrap().to_owned())
                .collect(),
        );
        let link = page.header("link");
        match link
            .strip_prefix('<')
            .and_then(|l| l.split_once(">; rel=\"next\""))
        {
            Some((path, _)) => next = path.to_owned(),
            None => return found,
        }
    }
}

#[tokio::test]
async fn tags() {
    for place in Place::each().await {
        place
            .get("/v2/a/tags/list")
            .await
            .refused(404, "NAME_UNKNOWN");
        for tag in ["c", "a", "B", "d", "a-1"] {
            place.image("a", tag, b"x").await;
        }
        let list = place.get("/v2/a/tags/list").await.is(200);
        assert_eq!(
            list.json(),
            json!({"name": "a", "tags": ["B", "a", "a-1", "c", "d"]})
        );
        assert_eq!(list.header("link"), "");
        let found = pages(&place, "/v2/a/tags/list?n=2", "tags").await;
        assert_eq!(found, [vec!["B", "a"], vec!["a-1", "c"], vec!["d"]]);
        let found = pages(&place, "/v2/a/tags/list?n=5&last=a", "tags").await;
        assert_eq!(found, [["a-1", "c", "d"]]);
        let none = place.get("/v2/a/tags/list?n=0").await.is(200);
        assert_eq!(
            (none.json()["tags"].clone(), none.header("link")),
            (json!([]), "")
        );
        // A tag that is not there still has its place in the order.
        let found = pages(&place, "/v2/a/tags/list?last=b", "tags").await;
        assert_eq!(found, [["c", "d"]]);
        place.end();
    }
}

#[tokio::test]
async fn repositories() {
    for place in Place::each().await {
        for name in ["b", "a/x", "a", "a-b", "c"] {
            place.image(name, "v1", b"x").await;
        }
        // A blob alone makes none.
        place.push("z", b"x").await;
        let list = place.get("/v2/_catalog").await.is(200);
        assert_eq!(
            list.json()["repositories"],
            json!(["a", "a/x", "a-b", "b", "c"])
        );
        let found = pages(&place, "/v2/_catalog?n=2", "repositories").await;
        assert_eq!(found, [vec!["a", "a/x"], vec!["a-b", "b"], vec!["c"]]);
        for n in ["-1", "abc", "", "1.5"] {
            let path = format!("/v2/_catalog?n={n}");
            place
                .get(&path)
                .await
                .refused(400, "PAGINATION_NUMBER_INVALID");
        }
        for n in [
            "2147483648",
            "9223372036854775808",
            "99999999999999999999999",
        ] {
            let path = format!("/v2/_catalog?n={n}");
            assert_eq!(
                place.get(&path).await.is(200).json()["repositories"]
                    .as_array()
                    .unwrap()
                    .len(),
                5
            );
        }
        assert_eq!(
            place.get("/v2/_catalog?n=0").await.is(200).json()["repositories"],
            json!([])
        );
        place.end();
    }
}

fn artifact(kind: &str, subject: &Digest, config: &Digest) -> String {
    let own = match kind {
        "" => String::new(),
        kind => format!(r#""artifactType":"{kind}","#),
    };
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI}",{own}"config":{{"mediaType":"a/config","digest":"{config}","size":2}},"layers":[],"subject":{{"mediaType":"{OCI}","digest":"{subject}","size":3}},"annotations":{{"k":"v"}}}}"#
    )
}

#[tokio::test]
async fn referrers() {
    for place in Place::each().await {
        let config = place.push("a", b"{}").await;
        // What they refer to need not be there, and may come later.
        let subject = Digest::of("not there");
        let path = format!("/v2/a/referrers/{subject}");
        let none = place.get(&path).await.is(200);
        assert_eq!(none.header("content-type"), INDEX);
        assert_eq!(
            none.json(),
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
        );
        let sbom = artifact("x/sbom", &subject, &config);
        let put = place
            .put("a", &Digest::of(&sbom).to_string(), &sbom)
            .await
            .is(201);
        assert_eq!(put.header("oci-subject"), subject.to_string());
        let plain = artifact("", &subject, &config);
        place.put("a", "signature", &plain).await.is(201);
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[],"subject":{{"mediaType":"{OCI}","digest":"{subject}","size":3}}}}"#
        );
        place
            .put("a", &Digest::of(&index).to_string(), &index)
            .await
            .is(201);
        let all = place.get(&path).await.is(200);
        assert_eq!(all.header("oci-filters-applied"), "");
        let list = all.json()["manifests"].as_array().unwrap().clone();
        assert_eq!(list.len(), 3);
        let of = |text: &str| -> Value {
            let digest = json!(Digest::of(text).to_string());
            list.iter().find(|m| m["digest"] == digest).unwrap().clone()
        };
        assert_eq!(of(&sbom)["artifactType"], "x/sbom");
        assert_eq!(of(&sbom)["annotations"], json!({"k": "v"}));
        assert_eq!(of(&sbom)["size"], sbom.len());
        assert_eq!(of(&plain)["artifactType"], "a/config");
        assert_eq!(of(&index)["mediaType"], INDEX);
        assert_eq!(of(&index)["artifactType"], Value::Null);
        let some = place
            .get(&format!("{path}?artifactType=x%2Fsbom"))
            .await
            .is(200);
        assert_eq!(some.header("oci-filters-applied"), "artifactType");
        assert_eq!(some.json()["manifests"], json!([of(&sbom)]));
        // In this repository only.
        let elsewhere = place
            .get(&format!("/v2/b/referrers/{subject}"))
            .await
            .is(200);
        assert_eq!(elsewhere.json()["manifests"], json!([]));
        place
            .get("/v2/a/referrers/sha256:bad")
            .await
            .refused(400, "DIGEST_INVALID");
        // Whoever goes is no longer listed.
        place
            .delete(&format!("/v2/a/manifests/{}", Digest::of(&sbom)))
            .await
            .is(202);
        assert_eq!(
            place.get(&path).await.is(200).json()["manifests"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        place.end();
    }
}

#[tokio::test]
async fn many_referrers_come_in_pages() {
    let place = Place::memory(super::place::settings()).await;
    let config = place.push("a", b"{}").await;
    let subject = Digest::of("s");
    for n in 0..6 {
        let text = artifact(&format!("x/{n}"), &subject, &config);
        let text = text.replace("\"k\":\"v\"", &format!("\"k\":\"{}\"", "v".repeat(1 << 20)));
        place
            .put("a", &Digest::of(&text).to_string(), &text)
            .await
            .is(201);
    }
    let mut next = format!("/v2/a/referrers/{subject}");
    let mut sizes = Vec::new();
    loop {
        let page = place.get(&next).await.is(200);
        assert!(page.body.len() <= (4 << 20) + 200);
        sizes.push(page.json()["manifests"].as_array().unwrap().len());
        match page
            .header("link")
            .strip_prefix('<')
            .and_then(|l| l.split_once('>'))
        {
            Some((path, _)) => next = path.to_owned(),
            None => break,
        }
    }
    assert_eq!(sizes, [3, 3]);
    place.end();
}
