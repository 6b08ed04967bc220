use api::ApiVersion;
use spec::{Digest, ImageId};

use super::*;

fn image() -> ImageSummary {
    ImageSummary {
        id: ImageId::new(Digest::of(b"x")),
        tags: Vec::new(),
        digests: Vec::new(),
        created: None,
        size: 5,
        labels: std::collections::BTreeMap::new(),
        containers: 0,
    }
}

#[test]
fn old_clients_find_what_they_expect() {
    let old = summary(image(), Speaks(ApiVersion::new(1, 41)));
    assert_eq!(old.repo_tags, [NO_TAG]);
    assert_eq!(old.virtual_size, Some(5));
    let new = summary(image(), Speaks(ApiVersion::MAX));
    assert!(new.repo_tags.is_empty() && new.repo_digests.is_empty());
    let json = serde_json::to_string(&new).unwrap();
    assert!(
        !json.contains("VirtualSize") && json.contains(r#""Labels":null"#),
        "{json}"
    );
}
