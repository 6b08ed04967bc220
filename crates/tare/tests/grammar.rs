//! The command line: flags, operands, help, mistakes and their exit codes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod fake;

use fake::Fake;

#[track_caller]
fn refused(args: &[&str], code: i32, expected: &str) {
    let done = Fake::new().run(args);
    assert_eq!(
        (done.code, done.err.as_str(), done.out.as_str()),
        (code, expected, ""),
        "{args:?}"
    );
}

#[test]
fn mistakes_are_one_line_and_where_to_read() {
    refused(
        &["run", "--nmae", "x", "b"],
        125,
        "tare: unknown flag: --nmae\nhint: did you mean --name?\nSee 'tare run --help'.\n",
    );
    refused(
        &["rnu"],
        1,
        "tare: 'rnu' is not a tare command.\nhint: did you mean 'run'?\nSee 'tare --help'.\n",
    );
    refused(
        &["frobnicate"],
        1,
        "tare: 'frobnicate' is not a tare command.\nSee 'tare --help'.\n",
    );
    refused(
        &["container", "lss"],
        1,
        "tare: 'container lss' is not a tare command.\nhint: did you mean 'ls'?\nSee 'tare container --help'.\n",
    );
    refused(
        &["rm"],
        1,
        "tare: 'tare rm' requires at least 1 argument (usage: tare rm [OPTIONS] CONTAINER [CONTAINER...])\nSee 'tare rm --help'.\n",
    );
    refused(
        &["exec", "c"],
        1,
        "tare: 'tare exec' requires at least 2 arguments (usage: tare exec [OPTIONS] CONTAINER COMMAND [ARG...])\nSee 'tare exec --help'.\n",
    );
    refused(
        &["run"],
        125,
        "tare: 'tare run' requires at least 1 argument (usage: tare run [OPTIONS] IMAGE [COMMAND] [ARG...])\nSee 'tare run --help'.\n",
    );
    refused(
        &["run", "-m", "lots", "b"],
        125,
        "tare: invalid argument \"lots\" for \"--memory\" flag: invalid size: 'lots'; a number and a unit b, k, m or g, such as 512m\nSee 'tare run --help'.\n",
    );
    refused(
        &["ps", "extra"],
        1,
        "tare: unexpected argument: 'extra'\nSee 'tare ps --help'.\n",
    );
    refused(
        &["-H", "tcp://x:1", "ps"],
        125,
        "tare: host tcp://x:1: tcp:// is not supported yet; use unix:///path or embedded\nSee 'tare ps --help'.\n",
    );
    refused(
        &["ps", "--format", "{{.Nope"],
        125,
        "tare: template parsing error: unclosed action: {{ without }}\nSee 'tare ps --help'.\n",
    );
    refused(
        &["run", "-p", "3306:", "b"],
        125,
        "tare: invalid argument \"3306:\" for \"--publish\" flag: no port specified: 3306:; is there a stray space? expected [IP:][HOST:]CONTAINER\nSee 'tare run --help'.\n",
    );
}

#[test]
fn control_characters_in_arguments_are_not_echoed() {
    let done = Fake::new().run(&["\x1b[2Jps"]);
    assert!(
        done.err.contains("'\\x1b[2Jps' is not a tare command."),
        "{}",
        done.err
    );
}

#[test]
fn every_command_has_help() {
    let fake = Fake::new();
    let overview = fake.run(&["--help"]);
    assert_eq!((overview.code, overview.err.as_str()), (0, ""));
    let commands = [
        "run", "exec", "ps", "create", "start", "stop", "kill", "rm", "attach", "logs", "wait",
        "images", "import", "load", "tag", "rmi", "history", "inspect", "version", "info",
        "daemon",
    ];
    for command in commands {
        assert!(
            overview.out.contains(&format!("\n  {command} ")),
            "{command}: {}",
            overview.out
        );
        let help = fake.run(&[command, "--help"]);
        assert_eq!((help.code, help.err.as_str()), (0, ""), "{command}");
        assert!(
            help.out.starts_with(&format!("Usage:  tare {command}")),
            "{}",
            help.out
        );
        assert!(help.out.contains("--help"), "{}", help.out);
        assert_eq!(fake.run(&["help", command]).out, help.out);
    }
    for group in ["container", "image", "volume", "system"] {
        let help = fake.run(&[group, "--help"]);
        assert_eq!(help.code, 0);
        for line in help.out.lines().filter(|l| l.starts_with("  ")) {
            let name = line.split_whitespace().next().unwrap();
            let page = fake.run(&[group, name, "--help"]);
            assert_eq!((page.code, page.err.as_str()), (0, ""), "{group} {name}");
            assert!(
                page.out
                    .starts_with(&format!("Usage:  tare {group} {name}")),
                "{}",
                page.out
            );
        }
    }
}

#[test]
fn help_looks_so() {
    let done = Fake::new().run(&["rm", "--help"]);
    let expected = "\
Usage:  tare rm [OPTIONS] CONTAINER [CONTAINER...]

Remove one or more containers

Aliases:
  tare rm, tare container rm, tare container remove

Options:
  -f, --force     Force the removal of a running container (uses SIGKILL)
      --help      Print usage
  -l, --link      Remove the specified link
  -v, --volumes   Remove anonymous volumes associated with the container
";
    assert_eq!(done.out, expected);
}

#[test]
fn version_flag() {
    let done = Fake::new().run(&["--version"]);
    assert_eq!(
        done.out,
        format!("tare version {}\n", env!("CARGO_PKG_VERSION"))
    );
}
