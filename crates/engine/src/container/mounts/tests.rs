use super::{clean, plan};
use crate::container::stored::{Missing, StoredMount};
use crate::container::{Config, HostConfig, MountKind, MountRequest, TmpfsOptions};
use crate::error::Result;

fn binds(texts: &[&str]) -> Result<Vec<StoredMount>> {
    let host = HostConfig {
        binds: texts.iter().map(|t| (*t).to_owned()).collect(),
        ..HostConfig::default()
    };
    plan(&Config::default(), &host)
}

fn request(kind: MountKind, source: &str, target: &str) -> MountRequest {
    MountRequest {
        kind,
        source: source.to_owned(),
        target: target.to_owned(),
        read_only: false,
        consistency: String::new(),
        bind: None,
        volume: None,
        tmpfs: None,
    }
}

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().message
}

#[test]
fn short_forms() {
    let mounts = binds(&["/a/../b/:/x", "data:/y:ro,nocopy", "/c:/z:ro,rslave"]).unwrap();
    assert_eq!(
        (mounts[0].kind, mounts[0].source.as_str()),
        (MountKind::Bind, "/b")
    );
    assert_eq!(mounts[0].propagation, "rprivate");
    assert_eq!(mounts[0].missing, Missing::Create);
    assert_eq!(
        (mounts[1].kind, mounts[1].read_only),
        (MountKind::Volume, true)
    );
    assert_eq!(mounts[1].missing, Missing::Create);
    assert_eq!(mounts[1].mode, "ro,nocopy");
    assert_eq!(mounts[2].propagation, "rslave");
}

#[test]
fn malformed_short_forms_are_named() {
    let cases = [
        ("a:b:c:d", "invalid volume specification: 'a:b:c:d'"),
        (":/x", "invalid volume specification: ':/x'"),
        (
            "/a:/",
            "invalid volume specification: '/a:/': destination can't be '/'",
        ),
        (
            "/a:b",
            "invalid volume specification: '/a:b': invalid mount path: 'b' mount path must be absolute",
        ),
        ("/a:/b:wrong", "invalid mode: wrong"),
        ("data:/b:rshared", "invalid mode: rshared"),
    ];
    for (text, expected) in cases {
        assert_eq!(message(binds(&[text])), expected);
    }
    assert!(message(binds(&["./a:/b"])).contains("use absolute path"));
}

#[test]
fn outer_mounts_come_first_and_places_are_unique() {
    let mounts = binds(&["/1:/a/b/c", "/2:/a", "/3:/a/b"]).unwrap();
    let places: Vec<_> = mounts.iter().map(|m| m.destination.as_str()).collect();
    assert_eq!(places, ["/a", "/a/b", "/a/b/c"]);
    assert_eq!(
        message(binds(&["/1:/a", "/2:/a/"])),
        "Duplicate mount point: /a"
    );
}

#[test]
fn an_anonymous_volume_gives_way() {
    let config = Config {
        volumes: ["/data".to_owned(), "/other".to_owned()].into(),
        ..Config::default()
    };
    let host = HostConfig {
        binds: vec!["/host:/data".to_owned()],
        ..HostConfig::default()
    };
    let mounts = plan(&config, &host).unwrap();
    assert_eq!(mounts.len(), 2);
    assert_eq!(mounts[0].kind, MountKind::Bind);
    assert_eq!(
        (mounts[1].kind, mounts[1].source.as_str()),
        (MountKind::Volume, "")
    );
}

#[test]
fn long_forms() {
    let host = HostConfig {
        mounts: vec![
            request(MountKind::Bind, "/src", "/a"),
            request(MountKind::Volume, "vol", "/b"),
            MountRequest {
                tmpfs: Some(TmpfsOptions {
                    size: 4096,
                    mode: 0o700,
                }),
                ..request(MountKind::Tmpfs, "", "/c")
            },
        ],
        ..HostConfig::default()
    };
    let mounts = plan(&Config::default(), &host).unwrap();
    assert_eq!(mounts[0].missing, Missing::Refuse);
    assert_eq!(mounts[1].missing, Missing::Fill);
    assert_eq!(
        mounts[2].tmpfs,
        ["noexec", "nosuid", "nodev", "size=4096", "mode=700"]
    );
}

#[test]
fn what_long_forms_can_not_have() {
    for (request, expected) in [
        (
            request(MountKind::Bind, "", "/a"),
            "field Source must not be empty",
        ),
        (
            request(MountKind::Bind, "a", "/a"),
            "mount path must be absolute",
        ),
        (
            request(MountKind::Tmpfs, "a", "/a"),
            "field Source must not be specified",
        ),
        (request(MountKind::Image, "a", "/a"), "not supported"),
    ] {
        let host = HostConfig {
            mounts: vec![request],
            ..HostConfig::default()
        };
        let text = message(plan(&Config::default(), &host));
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn tmpfs_options_replace_the_defaults() {
    let host = HostConfig {
        tmpfs: [("/t".to_owned(), "exec,size=1m,size=2m,ro".to_owned())].into(),
        ..HostConfig::default()
    };
    let mounts = plan(&Config::default(), &host).unwrap();
    assert_eq!(
        mounts[0].tmpfs,
        ["nosuid", "nodev", "exec", "size=2m", "ro"]
    );
    let host = HostConfig {
        tmpfs: [("/t".to_owned(), "huge=always".to_owned())].into(),
        ..HostConfig::default()
    };
    assert!(plan(&Config::default(), &host).is_err());
}

#[test]
fn paths_are_cleaned_by_text() {
    for (path, expected) in [
        ("/", "/"),
        ("//a/./b//", "/a/b"),
        ("/../../a", "/a"),
        ("/a/b/../c", "/a/c"),
    ] {
        assert_eq!(clean(path), expected);
    }
}
