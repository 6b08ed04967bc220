use spec::image::Config as ImageDefaults;

use super::{environment, merge_env, program, with_image};
use crate::container::Config;

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|t| (*t).to_owned()).collect()
}

fn image() -> ImageDefaults {
    ImageDefaults {
        entrypoint: Some(texts(&["/entry"])),
        cmd: Some(texts(&["serve"])),
        env: texts(&["PATH=/bin", "A=1"]),
        user: "www".to_owned(),
        working_dir: "/srv".to_owned(),
        stop_signal: Some("SIGQUIT".to_owned()),
        labels: [
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "1".to_owned()),
        ]
        .into(),
        ..ImageDefaults::default()
    }
}

#[test]
fn the_image_fills_what_the_user_left_open() {
    let merged = with_image(Config::default(), &image());
    assert_eq!(program(&merged).unwrap(), ["/entry", "serve"]);
    assert_eq!(
        (merged.user.as_str(), merged.working_dir.as_str()),
        ("www", "/srv")
    );
    assert_eq!(merged.stop_signal.as_deref(), Some("SIGQUIT"));
}

#[test]
fn a_command_keeps_the_entrypoint_and_an_entrypoint_drops_the_command() {
    let with_cmd = Config {
        cmd: Some(texts(&["other"])),
        ..Config::default()
    };
    assert_eq!(
        program(&with_image(with_cmd, &image())).unwrap(),
        ["/entry", "other"]
    );
    let with_entry = Config {
        entrypoint: Some(texts(&["sh"])),
        ..Config::default()
    };
    assert_eq!(program(&with_image(with_entry, &image())).unwrap(), ["sh"]);
    let none = Config {
        entrypoint: Some(texts(&[""])),
        cmd: Some(texts(&["ls", "-l"])),
        ..Config::default()
    };
    assert_eq!(program(&with_image(none, &image())).unwrap(), ["ls", "-l"]);
}

#[test]
fn no_program_is_an_error() {
    let error = program(&with_image(Config::default(), &ImageDefaults::default())).unwrap_err();
    assert_eq!(error.message, "no command specified");
}

#[test]
fn labels_and_variables_of_the_user_win() {
    let config = Config {
        env: texts(&["A=2", "B=3"]),
        labels: [("a".to_owned(), "2".to_owned())].into(),
        ..Config::default()
    };
    let merged = with_image(config, &image());
    assert_eq!(merged.env, ["PATH=/bin", "A=2", "B=3"]);
    assert_eq!(merged.labels["a"], "2");
    assert_eq!(merged.labels["b"], "1");
}

#[test]
fn later_variables_replace_in_place() {
    let merged = merge_env(&texts(&["A=1", "B=2"]), &texts(&["B=3", "C=4", "C=5"]));
    assert_eq!(merged, ["A=1", "B=3", "C=5"]);
}

#[test]
fn the_environment_has_path_hostname_and_term() {
    let config = Config {
        tty: true,
        env: texts(&["HOSTNAME", "X=", "TERM=vt100"]),
        ..Config::default()
    };
    assert_eq!(
        environment(&config, "web"),
        [
            format!("PATH={}", spec::profile::PATH),
            "TERM=vt100".to_owned(),
            "X=".to_owned()
        ]
    );
}
