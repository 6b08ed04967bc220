use super::*;

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn vectors() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../test_data/reference/digest.json")).unwrap();
    let cases = vectors["tables"]["TestParseDigest"][0].as_array().unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let input = case["Input"].as_str().unwrap();
        match (input.parse::<Digest>(), case["Err"].as_str()) {
            (Ok(digest), None) => {
                assert_eq!(digest.to_string(), input);
                assert_eq!(digest.hex(), case["Encoded"].as_str().unwrap());
                assert_eq!(
                    digest.algorithm().name(),
                    case["Algorithm"].as_str().unwrap()
                );
            }
            (Err(_), Some(_)) => {}
            (got, wanted) => panic!("{input:?}: {got:?}, not {wanted:?}"),
        }
    }
}

#[test]
fn of_bytes() {
    assert_eq!(Digest::of(b"").to_string(), EMPTY);
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(b"a");
    hasher.update(b"bc");
    let digest = hasher.finish();
    assert!(
        digest
            .to_string()
            .starts_with("sha512:ddaf35a193617abacc417349ae204131")
    );
    assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    assert_eq!(digest.algorithm().len(), 64);
}

#[test]
fn never_a_path() {
    for text in [
        "sha256:../../../../etc/passwd",
        "sha256:E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85\0",
        "é",
    ] {
        text.parse::<Digest>().unwrap_err();
        text.parse::<LayerId>().unwrap_err();
    }
}

/// The example values are Docker's for three layers with these diff ids.
#[test]
fn chain() {
    let diffs: Vec<DiffId> = [b"a", b"b", b"c"]
        .iter()
        .map(|b| DiffId::new(Digest::of(b)))
        .collect();
    assert_eq!(ChainId::of(&[]), None);
    let bottom = ChainId::of(&diffs[..1]).unwrap();
    assert_eq!(bottom.digest(), diffs[0].digest());
    let two = Digest::of(format!("{} {}", diffs[0], diffs[1]));
    assert_eq!(ChainId::of(&diffs[..2]).unwrap().digest(), &two);
    assert_eq!(
        ChainId::of(&diffs).unwrap(),
        ChainId::new(two).with(&diffs[2])
    );
}

#[test]
fn layer_ids() {
    let diff: DiffId = EMPTY.parse().unwrap();
    let id = LayerId::from_diff(&diff).unwrap();
    assert_eq!(id.to_string(), diff.hex());
    assert_eq!(id.to_string().parse::<LayerId>().unwrap(), id);
    let long = DiffId::new(Hasher::new(Algorithm::Sha512).finish());
    assert_eq!(LayerId::from_diff(&long), None);
}

#[test]
fn as_json() {
    let diff: DiffId = serde_json::from_str(&format!("{EMPTY:?}")).unwrap();
    assert_eq!(serde_json::to_string(&diff).unwrap(), format!("{EMPTY:?}"));
    serde_json::from_str::<DiffId>("null").unwrap_err();
    serde_json::from_str::<DiffId>("\"sha256:\"").unwrap_err();
}

#[test]
fn a_hasher_goes_on_where_another_was_saved() {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
        let mut whole = Hasher::new(algorithm);
        whole.update(&[7; 1000]);
        let mut first = Hasher::new(algorithm);
        first.update(&[7; 333]);
        let saved = first.save();
        let mut second = Hasher::restore(algorithm, &saved).unwrap();
        second.update(&[7; 667]);
        assert_eq!(second.finish(), whole.finish());
        assert!(Hasher::restore(algorithm, &saved[1..]).is_none());
        assert!(Hasher::restore(algorithm, &[]).is_none());
    }
}
