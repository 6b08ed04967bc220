use super::*;

fn basic(username: &str, password: &str) -> Credentials {
    Credentials::Basic {
        username: username.to_owned(),
        password: password.to_owned(),
    }
}

#[test]
fn header_round_trip() {
    for credentials in [
        Credentials::Anonymous,
        basic("ann", "p:w"),
        Credentials::Identity("t".into()),
        Credentials::Bearer("b".into()),
    ] {
        let header = credentials.to_header("example.org");
        assert_eq!(Credentials::from_header(&header), Ok(credentials));
    }
    assert_eq!(Credentials::from_header("e30"), Ok(Credentials::Anonymous));
    assert_eq!(Credentials::from_header(""), Ok(Credentials::Anonymous));
    assert!(Credentials::from_header("!").is_err());
    assert!(Credentials::from_header("W10=").is_err());
}

#[test]
fn nothing_is_printed() {
    let text = format!(
        "{:?}",
        [basic("ann", "s3cret"), Credentials::Bearer("s3cret".into())]
    );
    assert!(!text.contains("s3cret") && !text.contains("ann"));
}

#[test]
fn file_of_docker() {
    let mut file = StoredFile::parse(
        r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YTpi"},"r:5000":{"identitytoken":"T","auth":"PHRva2VuPjo="}},
            "credHelpers":{"gcr.io":"gcloud"},"HttpHeaders":{"X":"y"}}"#,
    )
    .unwrap();
    assert_eq!(
        file.find("docker.io").unwrap(),
        Found::Here(basic("a", "b"))
    );
    assert_eq!(
        file.find("https://r:5000/v2/").unwrap(),
        Found::Here(Credentials::Identity("T".into()))
    );
    assert_eq!(
        file.find("gcr.io").unwrap(),
        Found::Helper {
            name: "gcloud".into(),
            key: "gcr.io".into()
        }
    );
    // Another registry's credentials are nobody else's (CVE-2021-41092).
    assert_eq!(
        file.find("evil.io").unwrap(),
        Found::Here(Credentials::Anonymous)
    );
    file.store("new.io", Some(&basic("u", "p")));
    assert!(file.erase("docker.io") && !file.erase("docker.io"));
    let again = StoredFile::parse(&file.text()).unwrap();
    assert_eq!(again.find("new.io").unwrap(), Found::Here(basic("u", "p")));
    assert!(again.text().contains("HttpHeaders"));
    assert_eq!(again.registries(), ["new.io", "r:5000"]);
}

#[test]
fn hostile_files() {
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data/docker-config");
    let mut seen = 0;
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let file = StoredFile::parse(&text);
        seen += 1;
        match name.as_str() {
            "bad_config" | "invalid_auths_config.json" => assert!(file.is_err(), "{name}"),
            "invalid_auths_entry_config.json" => {
                let file = file.unwrap();
                let all: Vec<_> = file.registries().iter().map(|r| file.find(r)).collect();
                assert!(all.iter().any(Result::is_err), "{name}: {all:?}");
            }
            _ => {
                let file = file.unwrap();
                for registry in file.registries() {
                    file.find(&registry).unwrap();
                }
            }
        }
    }
    assert!(seen >= 9);
    let file = StoredFile::parse(r#"{"credsStore":"../../evil"}"#).unwrap();
    assert!(file.find("x.io").is_err());
}
