use spec::image::Config;

use super::apply;

fn changed(lines: &[&str]) -> Config {
    let mut config = Config::default();
    let lines: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
    apply(&mut config, &lines).unwrap();
    config
}

fn refused(line: &str) -> String {
    apply(&mut Config::default(), &[line.to_owned()])
        .unwrap_err()
        .message
}

#[test]
fn commands_are_lists_or_for_the_shell() {
    let config = changed(&[r#"CMD ["a", "b c"]"#, "entrypoint exec a $B"]);
    assert_eq!(config.cmd.unwrap(), ["a", "b c"]);
    assert_eq!(config.entrypoint.unwrap(), ["/bin/sh", "-c", "exec a $B"]);
}

#[test]
fn variables_and_labels() {
    let config = changed(&[
        r#"ENV A=1 B="x y" A=2"#,
        "ENV C the rest",
        "LABEL a.b='q r' c=",
    ]);
    assert_eq!(config.env, ["A=2", "B=x y", "C=the rest"]);
    assert_eq!(config.labels["a.b"], "q r");
    assert_eq!(config.labels["c"], "");
}

#[test]
fn ports_volumes_and_the_rest() {
    let config = changed(&[
        "EXPOSE 80 53/UDP 1-3",
        r#"VOLUME ["/a b"]"#,
        "VOLUME /c /d",
        "USER www:www",
        "WORKDIR /srv",
        "WORKDIR app/../x",
        "STOPSIGNAL SIGQUIT",
    ]);
    let ports: Vec<_> = config.exposed_ports.keys().collect();
    assert_eq!(ports, ["1-3/tcp", "53/udp", "80/tcp"]);
    let volumes: Vec<_> = config.volumes.keys().collect();
    assert_eq!(volumes, ["/a b", "/c", "/d"]);
    assert_eq!(
        (config.user.as_str(), config.working_dir.as_str()),
        ("www:www", "/srv/x")
    );
    assert_eq!(config.stop_signal.as_deref(), Some("SIGQUIT"));
}

#[test]
fn what_is_no_change_is_refused() {
    assert_eq!(refused("RUN x"), "RUN is not a valid change command");
    assert_eq!(refused("ENV"), "ENV requires at least one argument");
    assert_eq!(refused("ENV A"), "ENV must have two arguments");
    assert_eq!(refused("EXPOSE 99999"), "invalid containerPort: 99999");
    assert_eq!(refused("STOPSIGNAL NOPE"), "invalid signal: NOPE");
}
