use proptest::prelude::*;
use serde_json::Value;
use spec::profile;
use spec::runtime::Spec;

use super::Plan;
use crate::check;

/// All places in `value` that are no object and no array, by JSON pointer.
fn leaves(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(value, format!("{path}/{name}"), found);
            }
        }
        Value::Array(items) => {
            found.push(path.clone());
            for (at, value) in items.iter().enumerate() {
                leaves(value, format!("{path}/{at}"), found);
            }
        }
        _ => found.push(path),
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "(/|\\.\\.|proc|dev|sys|\u{0}|a){0,8}".prop_map(Value::from),
        Just(Value::Array(Vec::new())),
        Just(serde_json::json!([{}])),
    ]
}

/// A configuration in which all that is optional is there.
fn full() -> Value {
    let mut config = serde_json::to_value(profile::default_spec()).unwrap();
    let more = serde_json::json!({
        "scheduler": {"policy": "SCHED_BATCH", "nice": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
        "execCPUAffinity": {"initial": "0", "final": "0-1"},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}],
        "consoleSize": {"height": 1, "width": 2},
    });
    for (name, value) in more.as_object().unwrap() {
        config["process"][name] = value.clone();
    }
    let more = serde_json::json!({
        "personality": {"domain": "LINUX32", "flags": []},
        "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
        "netDevices": {"eth0": {"name": "x"}},
        "sysctl": {"net.ipv4.ip_forward": "1", "kernel.msgmax": "1"},
        "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 0, "gid": 0}],
        "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
        "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
        "timeOffsets": {"monotonic": {"secs": 1, "nanosecs": 2}},
        "rootfsPropagation": "rslave",
    });
    for (name, value) in more.as_object().unwrap() {
        config["linux"][name] = value.clone();
    }
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(serde_json::json!({"type": "user"}));
    namespaces.push(serde_json::json!({"type": "time"}));
    config["mounts"].as_array_mut().unwrap().push(serde_json::json!({
        "destination": "/v", "source": "/s", "type": "bind", "options": ["rbind", "rro", "ridmap", "rslave"],
        "uidMappings": [{"containerID": 0, "hostID": 5, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 5, "size": 1}],
    }));
    config["hooks"] = serde_json::json!({
        "prestart": [{"path": "/h", "args": ["h"], "env": ["A=b"], "timeout": 3}],
    });
    // Its names of system calls are not what is looked for here.
    config["linux"]["seccomp"] = serde_json::json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "listenerPath": "/l", "listenerMetadata": "m",
        "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"},
        ],
    });
    config
}

#[test]
fn the_full_configuration_is_planned() {
    let spec: Spec = serde_json::from_value(full()).unwrap();
    Plan::new(&spec, None).unwrap();
    check(&spec).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_configuration_is_planned_or_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), scalar()), 1..5)) {
        let mut config = full();
        let mut found = Vec::new();
        leaves(&config, String::new(), &mut found);
        for (place, value) in changes {
            if let Some(old) = config.pointer_mut(place.get::<String>(&found)) {
                *old = value;
            }
        }
        if let Ok(spec) = serde_json::from_value::<Spec>(config)
            && let Err(error) = check(&spec)
        {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_text_is_no_configuration_or_one(text in "[\\[\\]{}\",:a-z0-9]{0,60}") {
        if let Ok(spec) = serde_json::from_str::<Spec>(&text) {
            drop(check(&spec));
        }
    }

    #[test]
    fn mount_options_are_read(options in prop::collection::vec("(r?(no)?(ro|suid|dev|exec|atime|shared|private|bind|idmap|symfollow)|[a-z]{0,4}=?\\PC{0,6})", 0..8)) {
        let mut spec = profile::default_spec();
        spec.mounts.push(profile::mount("/x", "tmpfs", &options.iter().map(String::as_str).collect::<Vec<_>>()));
        drop(check(&spec));
    }
}
