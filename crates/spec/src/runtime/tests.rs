use super::{Action, NamespaceKind, Operator, Spec, State, Status};

fn config(name: &str) -> serde_json::Result<Spec> {
    let path = format!(
        "{}/test_data/runtime-spec/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn good_documents_are_read() {
    for name in [
        "config.good",
        "minimal.good",
        "linux-rdma.good",
        "linux-netdevice.good",
        "minimal-for-start.good",
    ] {
        if let Err(error) = config(name) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn bad_documents_are_refused() {
    for name in ["invalid-json.bad", "linux-rdma.bad"] {
        assert!(config(name).is_err(), "{name}");
    }
}

#[test]
fn the_whole_example_survives_a_round_trip() {
    let path = format!(
        "{}/test_data/runtime-spec/config.good.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).unwrap();
    let before: serde_json::Value = serde_json::from_str(&text).unwrap();
    let spec: Spec = serde_json::from_str(&text).unwrap();
    let after = serde_json::to_value(&spec).unwrap();
    let mut lost = Vec::new();
    compare("", &before, &after, &mut lost);
    // Not of the specification since 0.x; the example kept it.
    lost.retain(|path| path != "/linux/resources/oomScoreAdj");
    assert_eq!(lost, Vec::<String>::new());
    assert_eq!(serde_json::from_value::<Spec>(after).unwrap(), spec);
}

/// Paths in `before` that `after` lacks or has otherwise.
fn compare(
    path: &str,
    before: &serde_json::Value,
    after: &serde_json::Value,
    lost: &mut Vec<String>,
) {
    match (before, after) {
        (serde_json::Value::Object(before), serde_json::Value::Object(after)) => {
            for (key, value) in before {
                let path = format!("{path}/{key}");
                match after.get(key) {
                    Some(other) => compare(&path, value, other, lost),
                    None if value == false || value == &serde_json::json!([]) => {}
                    None => lost.push(path),
                }
            }
        }
        (serde_json::Value::Array(before), serde_json::Value::Array(after))
            if before.len() == after.len() =>
        {
            for (i, (value, other)) in before.iter().zip(after).enumerate() {
                compare(&format!("{path}/{i}"), value, other, lost);
            }
        }
        _ if before == after => {}
        _ => lost.push(format!("{path}: {before} {after}")),
    }
}

#[test]
fn what_weakens_is_not_guessed() {
    let with = |linux: &str| {
        serde_json::from_str::<Spec>(&format!(r#"{{"ociVersion":"1.2.0","linux":{linux}}}"#))
    };
    assert!(with(r#"{"namespaces":[{"type":"pid"}]}"#).is_ok());
    assert!(with(r#"{"namespaces":[{"type":"moon"}]}"#).is_err());
    assert!(with(r#"{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO"}}"#).is_ok());
    assert!(with(r#"{"seccomp":{}}"#).is_err());
    assert!(with(r#"{"seccomp":{"defaultAction":"SCMP_ACT_DREAM"}}"#).is_err());
    assert!(with(r#"{"later":{"field":1}}"#).is_ok());
}

#[test]
fn enumerations_have_the_names_of_the_specification() {
    let json = |v: &dyn erased::Json| v.json();
    assert_eq!(json(&Action::KillProcess), "\"SCMP_ACT_KILL_PROCESS\"");
    assert_eq!(json(&Operator::MaskedEqual), "\"SCMP_CMP_MASKED_EQ\"");
    assert_eq!(json(&NamespaceKind::Network), "\"network\"");
    assert_eq!(json(&Status::Running), "\"running\"");
}

mod erased {
    pub(super) trait Json {
        fn json(&self) -> String;
    }
    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).unwrap()
        }
    }
}

#[test]
fn states_are_read() {
    let path = format!(
        "{}/test_data/runtime-spec/state.good.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let state: State = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(state.status, Status::Running);
    assert_eq!(state.pid, 4422);
}
