use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::JoinHandle;

use kernel::cgroup::{Controller, Hierarchy, Layout, Version};
use spec::runtime::{Cpu, Memory, Pids, Resources};

use super::message::{self, RETURN, SIGNAL, Value};
use super::{Scope, unit};

fn layout(version: Version) -> Layout {
    Layout {
        hierarchies: vec![Hierarchy {
            version,
            mount: "/sys/fs/cgroup".into(),
            controllers: Controller::ALL.to_vec(),
            name: None,
            own: "/".to_owned(),
        }],
    }
}

#[test]
fn units_are_named_as_callers_of_runc_expect() {
    let parsed = |text: &str| Scope::parse(text, "id").unwrap();
    let one = parsed("machine.slice:libpod:3f2a");
    assert_eq!(one.unit(), "libpod-3f2a.scope");
    assert_eq!(one.path(), "/machine.slice/libpod-3f2a.scope");
    assert_eq!(parsed("").path(), "/system.slice/tare-id.scope");
    assert_eq!(parsed(":docker:x").path(), "/system.slice/docker-x.scope");
    assert_eq!(parsed("-.slice::x").path(), "/x.scope");
    let deep = parsed("kubepods-burstable-pod1_2.slice:cri:x");
    assert_eq!(
        deep.path(),
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-x.scope"
    );
    for bad in [
        "/system.slice/x",
        "a:b",
        "a:b:c:d",
        "x:y:z",
        "a.slice:b:",
        "../x.slice:a:b",
        "a--b.slice:x:y",
        "a.slice:../x:y",
        "a.slice:x:y/z",
        ".slice:x:y",
        "a-.slice:x:y",
        "a.slice:p:q.slice",
    ] {
        assert!(Scope::parse(bad, "id").is_err(), "{bad}");
    }
}

#[test]
fn limits_are_properties_of_the_units_version() {
    let resources = Resources {
        memory: Some(Memory {
            limit: Some(1000),
            swap: Some(3000),
            reservation: Some(500),
            ..Memory::default()
        }),
        cpu: Some(Cpu {
            shares: Some(1024),
            quota: Some(150_000),
            period: Some(100_000),
            cpus: "0,9".to_owned(),
            ..Cpu::default()
        }),
        pids: Some(Pids { limit: -1 }),
        ..Resources::default()
    };
    let of = |version| unit::properties(&resources, &layout(version));
    assert_eq!(
        of(Version::V2),
        [
            ("MemoryMax", Value::U64(1000)),
            ("MemoryLow", Value::U64(500)),
            ("MemorySwapMax", Value::U64(2000)),
            ("CPUWeight", Value::U64(39)),
            ("CPUQuotaPerSecUSec", Value::U64(1_500_000)),
            ("CPUQuotaPeriodUSec", Value::U64(100_000)),
            ("AllowedCPUs", Value::Bytes(vec![1, 2])),
            ("TasksMax", Value::U64(u64::MAX)),
        ]
    );
    assert_eq!(
        of(Version::V1),
        [
            ("MemoryLimit", Value::U64(1000)),
            ("CPUShares", Value::U64(1024)),
            ("CPUQuotaPerSecUSec", Value::U64(1_500_000)),
            ("TasksMax", Value::U64(u64::MAX)),
        ]
    );
}

/// A message of the manager's: `kind`, answering `reply_to`, with texts in its body.
fn answer(kind: u8, reply_to: u32, member: &str, words: &[(char, &str)]) -> Vec<u8> {
    let pad = |bytes: &mut Vec<u8>, to: usize| bytes.resize(bytes.len().next_multiple_of(to), 0);
    let text = |bytes: &mut Vec<u8>, text: &str| {
        pad(bytes, 4);
        bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
    };
    let mut body = Vec::new();
    let mut signature = String::new();
    for (kind, word) in words {
        signature.push(*kind);
        if *kind == 'u' {
            pad(&mut body, 4);
            body.extend(word.parse::<u32>().unwrap().to_le_bytes());
        } else {
            text(&mut body, word);
        }
    }
    let mut fields = vec![5, 1, b'u', 0];
    fields.extend(reply_to.to_le_bytes());
    let name = if kind == message::ERROR { 4 } else { 3 };
    fields.extend([name, 1, b's', 0]);
    text(&mut fields, member);
    pad(&mut fields, 8);
    fields.extend([8, 1, b'g', 0, u8::try_from(signature.len()).unwrap()]);
    fields.extend(signature.as_bytes());
    fields.push(0);
    let mut all = vec![b'l', kind, 0, 1];
    for number in [body.len(), 77, fields.len()] {
        all.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    all.extend(fields);
    pad(&mut all, 8);
    all.extend(body);
    all
}

/// A bus with a manager behind it, for one connection; gives the members that were called, with all bytes of each call.
fn fake(path: &Path, result: &'static str) -> JoinHandle<Vec<(String, Vec<u8>)>> {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = [0; 1];
        let mut said = Vec::new();
        while !said.ends_with(b"\r\n") {
            stream.read_exact(&mut line).unwrap();
            said.push(line[0]);
        }
        assert!(said.starts_with(b"\0AUTH EXTERNAL 3"), "{said:?}");
        stream.write_all(b"OK 0123\r\n").unwrap();
        let mut begin = [0; 7];
        stream.read_exact(&mut begin).unwrap();
        let mut calls = Vec::new();
        loop {
            let mut head = [0; 16];
            if stream.read_exact(&mut head).is_err() {
                return calls;
            }
            let mut all = vec![0; message::whole(&head).unwrap()];
            all[..16].copy_from_slice(&head);
            stream.read_exact(&mut all[16..]).unwrap();
            let call = message::parse(&all).unwrap();
            let serial = u32::from_le_bytes(all[8..12].try_into().unwrap());
            let job = "/org/freedesktop/systemd1/job/5";
            match call.member.as_str() {
                "StartTransientUnit" | "StopUnit" if result == "missing" => {
                    let error = "org.freedesktop.systemd1.NoSuchUnit";
                    let answer = answer(message::ERROR, serial, error, &[('s', "not loaded")]);
                    stream.write_all(&answer).unwrap();
                }
                "StartTransientUnit" | "StopUnit" => {
                    // The end may be told before the beginning is.
                    let end = [('u', "5"), ('o', job), ('s', "x.scope"), ('s', result)];
                    stream
                        .write_all(&answer(SIGNAL, 0, "JobRemoved", &end))
                        .unwrap();
                    stream
                        .write_all(&answer(RETURN, serial, "", &[('o', job)]))
                        .unwrap();
                }
                _ => stream.write_all(&answer(RETURN, serial, "", &[])).unwrap(),
            }
            calls.push((call.member, all));
        }
    })
}

fn names(calls: &[(String, Vec<u8>)]) -> Vec<&str> {
    calls.iter().map(|(name, _)| name.as_str()).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_scope_is_started_with_its_process_and_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let scope = Scope::parse("a.slice:t:x", "x").unwrap().on_bus(&path);
    let bus = fake(&path, "done");
    let pid = rustix::process::Pid::from_raw(4711).unwrap();
    scope
        .start(pid, &layout(Version::V2), &Resources::default())
        .unwrap();
    let calls = bus.join().unwrap();
    assert_eq!(
        names(&calls),
        ["Hello", "AddMatch", "Subscribe", "StartTransientUnit"]
    );
    let start = &calls[3].1;
    for text in [
        "t-x.scope",
        "a.slice",
        "Delegate",
        "PIDs",
        "ssa(sv)a(sa(sv))",
    ] {
        assert!(contains(start, text.as_bytes()), "{text}");
    }
    assert!(contains(start, &4711_u32.to_le_bytes()));
    std::fs::remove_file(&path).unwrap();
    let bus = fake(&path, "done");
    scope.stop().unwrap();
    let calls = bus.join().unwrap();
    assert_eq!(names(&calls)[3..], ["StopUnit", "ResetFailedUnit"]);
}

#[test]
fn what_systemd_refuses_is_told_and_what_is_gone_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let scope = Scope::parse("a.slice:t:x", "x").unwrap().on_bus(&path);
    let pid = rustix::process::Pid::from_raw(1).unwrap();
    let start = || scope.start(pid, &layout(Version::V2), &Resources::default());
    let bus = fake(&path, "failed");
    let error = start().unwrap_err().to_string();
    assert!(error.contains("t-x.scope: failed"), "{error}");
    bus.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    let bus = fake(&path, "missing");
    let error = start().unwrap_err().to_string();
    assert!(error.contains("not loaded"), "{error}");
    bus.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    let bus = fake(&path, "missing");
    scope.stop().unwrap();
    bus.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = start().unwrap_err().to_string();
    assert!(error.contains("connect to systemd's bus"), "{error}");
}

#[test]
fn garbled_messages_are_errors() {
    let good = answer(RETURN, 3, "x", &[('s', "text"), ('u', "7")]);
    assert_eq!(
        message::parse(&good).unwrap().words().unwrap(),
        ["text", "7"]
    );
    for length in 16..good.len() {
        // Cut or changed, it is an error or another message, never a panic.
        drop(message::parse(&good[..length]));
        let mut changed = good.clone();
        changed[length] ^= 0xff;
        drop(message::parse(&changed).and_then(|m| m.words()));
    }
    assert!(message::whole(&[b'B'; 16]).is_err());
    assert!(message::whole(&[b'l', 1, 0, 1, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
}
