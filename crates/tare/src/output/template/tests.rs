use super::*;
use serde_json::json;

fn data() -> Value {
    json!({
        "Id": "abc", "State": {"Running": true, "Pid": 7, "Health": null},
        "Mounts": [{"Source": "/a"}, {"Source": "/b"}],
        "Config": {"Env": ["A=1", "B=2"], "Labels": {"x.y": "z"}, "Evil": "\u{1b}[2J"},
    })
}

#[track_caller]
fn check(template: &str, expected: &str) {
    let printed = Template::parse(template).and_then(|t| t.render(&data()));
    assert_eq!(printed.as_deref(), Ok(expected), "{template}");
}

#[track_caller]
fn refused(template: &str, expected: &str) {
    let printed = Template::parse(template).and_then(|t| t.render(&data()));
    assert_eq!(printed.unwrap_err(), expected);
}

#[test]
fn fields_and_literals() {
    check("{{.Id}} {{ .State.Pid }}", "abc 7");
    check("{{.Config.Env}}", "[A=1 B=2]");
    check(
        "{{.Config.Labels}} {{.State.Health}}",
        "map[x.y:z] <no value>",
    );
    check("{{\"a\\t\"}}{{`b`}}{{12}}", "a\tb12");
    check("{{/* note */}}x", "x");
    check("{{.Config.Evil}}", "\\x1b[2J");
}

#[test]
fn functions_and_pipelines() {
    check("{{json .Config.Env}}", "[\"A=1\",\"B=2\"]");
    check(
        "{{.State | json}}",
        "{\"Health\":null,\"Pid\":7,\"Running\":true}",
    );
    check("{{join .Config.Env \", \" | upper}}", "A=1, B=2");
    check(
        "{{index .Config.Labels \"x.y\"}}{{(index .Mounts 1).Source}}",
        "z/b",
    );
    check("{{.Config.Labels \"x.y\"}}", "z");
    check("{{printf \"%s-%d%%\" .Id .State.Pid}}", "abc-7%");
    check(
        "{{len .Mounts}} {{truncate .Id 2}} {{slice .Id 1 2}} {{title \"up\"}}",
        "2 ab b Up",
    );
}

#[test]
fn control_flow() {
    check("{{if .State.Running}}up{{else}}down{{end}}", "up");
    check(
        "{{if .State.Health}}h{{else if eq .State.Pid 7}}p{{else}}n{{end}}",
        "p",
    );
    check(
        "{{if and .State.Running (not .State.Health)}}yes{{end}}",
        "yes",
    );
    check("{{range .Mounts}}{{.Source}};{{end}}", "/a;/b;");
    check(
        "{{range $i, $m := .Mounts}}{{$i}}={{$m.Source}} {{$.Id}};{{end}}",
        "0=/a abc;1=/b abc;",
    );
    check(
        "{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}}{{end}}",
        "x.y:z",
    );
    check(
        "{{with .State.Health}}{{.Status}}{{else}}none{{end}}",
        "none",
    );
    check("{{$p := .State.Pid}}{{$p}}", "7");
    check("a {{- .Id -}} b", "aabcb");
}

#[test]
fn mistakes_are_named() {
    refused("{{.id}}", "no field \"id\"; did you mean \"Id\"?");
    refused(
        "{{.State.Nope}}",
        "no field \"Nope\"; there are: Health, Pid, Running",
    );
    refused("{{foo .Id}}", "function \"foo\" not defined");
    refused("{{.Id", "unclosed action: {{ without }}");
    refused("{{if .Id}}", "{{if}} without {{end}}");
    refused("{{template \"x\"}}", "{{template}} is not supported");
    refused("{{end}}", "unexpected {{end}}");
}

#[test]
fn header_of_a_table() {
    let template = Template::parse("{{.ID}}\\t{{.Names | upper}}").unwrap();
    assert_eq!(template.header(|f| f.to_uppercase()), "ID\\tNAMES");
}
