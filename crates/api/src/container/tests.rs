use super::*;

/// What docker 28.2.2 sends for `docker run -d -e A=b -v /tmp:/x:ro -v vol:/y -w /w -u 1:2 --name web --rm --entrypoint /bin/sh
/// --hostname h --network none -m 64m --cpus 1.5 --pids-limit 20 --label a=b busybox -c ls`.
const RUN: &str = include_str!("../../test_data/run-d.json");
/// What it sends for `docker run -i busybox cat`.
const RUN_I: &str = include_str!("../../test_data/run-i.json");

#[test]
fn dockers_own_requests_survive_a_round_trip() {
    for text in [RUN, RUN_I] {
        let request: CreateRequest = crate::decode(text.as_bytes()).unwrap();
        let sent: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&request).unwrap(), sent);
    }
}

#[test]
fn keys_stand_in_dockers_order() {
    let request: CreateRequest = crate::decode(RUN.as_bytes()).unwrap();
    assert_eq!(serde_json::to_string(&request).unwrap(), RUN.trim());
}

#[test]
fn what_was_asked_for_is_understood() {
    let request: CreateRequest = crate::decode(RUN.as_bytes()).unwrap();
    assert_eq!(
        request.config.entrypoint,
        Some(Words(vec!["/bin/sh".to_owned()]))
    );
    assert_eq!(request.config.user, "1:2");
    let host = request.host_config;
    assert_eq!(
        (host.memory, host.nano_cpus, host.pids_limit),
        (64 << 20, 1_500_000_000, Some(20))
    );
    assert_eq!(host.binds.unwrap(), ["/tmp:/x:ro", "vol:/y"]);
    assert!(host.auto_remove);
}

#[test]
fn words_may_be_one_string_and_all_may_be_null() {
    let request: CreateRequest = crate::decode(
        br#"{"image":"x","cmd":"ls -l","Entrypoint":null,"HostConfig":null,"Labels":null}"#,
    )
    .unwrap();
    assert_eq!(request.config.cmd, Some(Words(vec!["ls -l".to_owned()])));
    assert_eq!(request.config.entrypoint, None);
    assert_eq!(request.host_config, HostConfig::default());
    assert!(crate::decode::<CreateRequest>(br#"{"Cmd":{}}"#).is_err());
    assert!(crate::decode::<CreateRequest>(br#"{"HostConfig":[]}"#).is_err());
}

#[test]
fn zero_values_are_written() {
    let text = serde_json::to_string(&ContainerInspect::default()).unwrap();
    for part in [
        r#""Args":[]"#,
        r#""StartedAt":"0001-01-01T00:00:00Z""#,
        r#""ExecIDs":null"#,
        r#""Mounts":[]"#,
        r#""Networks":{}"#,
        r#""Ports":{}"#,
        r#""Labels":{}"#,
    ] {
        assert!(text.contains(part), "{part}");
    }
    let text = serde_json::to_string(&ContainerSummary::default()).unwrap();
    assert!(text.contains(r#""Names":[]"#) && text.contains(r#""Ports":[]"#));
}
