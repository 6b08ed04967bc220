use super::*;
use crate::graph::{Item, Reuse, Unpack};
use crate::key;
use spec::Digest;

fn base(config: &str) -> ImageConfig {
    serde_json::from_str(&format!(
        r#"{{"architecture":"amd64","os":"linux","config":{config},"rootfs":{{"type":"layers","diff_ids":[]}}}}"#
    ))
    .unwrap()
}

fn make(text: &str, request: &Request) -> Result<Graph> {
    let parsed = dockerfile::parse(text);
    assert!(parsed.error().is_none(), "{:?}", parsed.error());
    let bases = Bases::from([(
        "busybox".to_owned(),
        base(r#"{"Env":["PATH=/bin","HOME=/root"],"Cmd":["sh"]}"#),
    )]);
    plan(&parsed.file, request, &bases)
}

fn made(text: &str) -> Graph {
    make(text, &Request::default()).unwrap()
}

fn refused(text: &str) -> String {
    make(text, &Request::default()).unwrap_err().to_string()
}

fn keys(graph: &Graph, content: &Digest) -> Vec<Digest> {
    let mut keys: Vec<Digest> = Vec::new();
    for vertex in &graph.vertices {
        let inputs: Vec<Digest> = vertex.inputs.iter().map(|i| keys[i.0]).collect();
        let own = matches!(vertex.op, Op::Copy(_) | Op::Image(_)).then_some(content);
        keys.push(key::of(vertex, &inputs, own));
    }
    keys
}

fn last_key(text: &str, args: &[(&str, &str)]) -> Digest {
    let request = Request {
        build_args: args
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect(),
        ..Request::default()
    };
    let graph = make(text, &request).unwrap();
    *keys(&graph, &Digest::of("x")).last().unwrap()
}

#[test]
fn only_what_the_target_needs_is_planned_and_inputs_come_first() {
    let graph = made(
        "FROM busybox AS a\nRUN a\nFROM busybox AS unused\nRUN never\nFROM scratch\nCOPY --from=a /x /y\n",
    );
    assert!(!graph.vertices.iter().any(|v| v.name.contains("never")));
    for (index, vertex) in graph.vertices.iter().enumerate() {
        assert!(
            vertex.inputs.iter().all(|input| input.0 < index),
            "{}",
            vertex.name
        );
    }
    assert_eq!(graph.target.root, VertexId(graph.vertices.len() - 1));
    assert_eq!(
        graph.vertices.last().unwrap().name,
        "[stage-2 2/2] COPY --from=a /x /y"
    );
}

#[test]
fn independent_stages_do_not_wait_for_each_other() {
    let graph = made(
        "FROM busybox AS a\nRUN a\nFROM busybox AS b\nRUN b\nFROM scratch\nCOPY --from=a x x\nCOPY --from=b y y\n",
    );
    let run = |text: &str| {
        graph
            .vertices
            .iter()
            .find(|v| v.name.ends_with(text))
            .unwrap()
    };
    // Both stand on the image alone, which is one vertex.
    assert_eq!(run("RUN a").inputs, run("RUN b").inputs);
    assert_eq!(run("RUN a").inputs.len(), 1);
}

#[test]
fn the_configuration_is_dockers() {
    let graph = made(
        "FROM busybox\nENV A=1 B=$A\nENV C=$A\nWORKDIR /w\nWORKDIR x\nUSER me\nEXPOSE 80 90-91/UDP\nVOLUME /v\nLABEL a=b\nSTOPSIGNAL INT\nENTRYPOINT [\"e\"]\n",
    );
    let config = &graph.target.config;
    assert_eq!(config.env, ["PATH=/bin", "HOME=/root", "A=1", "B=", "C=1"]);
    assert_eq!(config.working_dir, "/w/x");
    assert_eq!(config.user, "me");
    assert_eq!(
        config.exposed_ports.keys().collect::<Vec<_>>(),
        ["80/tcp", "90/udp", "91/udp"]
    );
    assert_eq!(config.entrypoint.as_deref(), Some(&["e".to_owned()][..]));
    assert_eq!(
        config.cmd, None,
        "a new entry point drops the base's command"
    );
    let own = made("FROM busybox\nCMD x\nENTRYPOINT [\"e\"]\n");
    assert_eq!(own.target.config.cmd.unwrap(), ["/bin/sh", "-c", "x"]);
    assert_eq!(
        made("FROM scratch\nSHELL [\"bash\"]\nCMD x")
            .target
            .config
            .cmd
            .unwrap(),
        ["bash", "x"]
    );
}

#[test]
fn arguments_reach_from_outside_from_above_and_from_defaults() {
    let text = "ARG V=1\nARG W\nFROM busybox\nARG V\nARG D=d$V\nARG TARGETARCH\nENV R=$V-$W-$D-$TARGETARCH\n";
    let request = Request {
        build_args: [
            ("W".to_owned(), "w".to_owned()),
            ("X".to_owned(), "x".to_owned()),
        ]
        .into(),
        platform: "linux/arm64".parse().unwrap(),
        ..Request::default()
    };
    let graph = make(text, &request).unwrap();
    // W is declared above the stages only, so the stage does not know it.
    assert!(
        graph
            .target
            .config
            .env
            .contains(&"R=1--d1-arm64".to_owned()),
        "{:?}",
        graph.target.config.env
    );
    assert_eq!(graph.unused_args.into_iter().collect::<Vec<_>>(), ["X"]);
}

#[test]
fn keys_change_with_what_is_used_and_with_nothing_else() {
    let used = "FROM busybox\nARG A=1\nRUN x\n";
    assert_ne!(last_key(used, &[]), last_key(used, &[("A", "2")]));
    assert_eq!(last_key(used, &[("A", "1")]), last_key(used, &[]));
    let after = "FROM busybox\nRUN x\nARG A=1\n";
    assert_eq!(
        last_key(after, &[]),
        last_key(after, &[("A", "2")]),
        "an argument below does not count"
    );
    let copy = "FROM busybox\nARG A=1\nCOPY x /\n";
    assert_eq!(
        last_key(copy, &[]),
        last_key(copy, &[("A", "2")]),
        "an argument that COPY has no use for does not count"
    );
    assert_eq!(
        last_key(used, &[("HTTP_PROXY", "a")]),
        last_key(used, &[]),
        "proxies do not count"
    );
    assert_ne!(
        last_key("FROM busybox\nUSER a\nRUN x", &[]),
        last_key("FROM busybox\nUSER b\nRUN x", &[])
    );
    assert_ne!(
        last_key("FROM busybox\nWORKDIR /a\nRUN x", &[]),
        last_key("FROM busybox\nWORKDIR /b\nRUN x", &[])
    );
    assert_eq!(
        last_key("FROM busybox\n# c\nRUN x", &[]),
        last_key("FROM busybox\nLABEL a=b\nRUN x", &[])
    );
}

#[test]
fn a_copys_key_is_its_content_and_a_linked_one_forgets_the_base() {
    let graph = made("FROM busybox\nRUN a\nCOPY --link x /\n");
    let other = made("FROM busybox\nRUN b\nCOPY --link x /\n");
    assert_eq!(
        keys(&graph, &Digest::of("x")).last(),
        keys(&other, &Digest::of("x")).last()
    );
    assert_ne!(
        keys(&graph, &Digest::of("x")).last(),
        keys(&graph, &Digest::of("y")).last()
    );
    let plain = made("FROM busybox\nRUN a\nCOPY x /\n");
    let other = made("FROM busybox\nRUN b\nCOPY x /\n");
    assert_ne!(
        keys(&plain, &Digest::of("x")).last(),
        keys(&other, &Digest::of("x")).last()
    );
}

#[test]
fn a_secrets_value_is_in_no_key_and_a_mounts_stage_is_an_input() {
    let graph = made(
        "FROM busybox AS dep\nRUN d\nFROM busybox\nRUN --mount=type=secret,id=s --mount=type=bind,from=dep,target=/d --mount=type=cache,target=c x\n",
    );
    let vertex = graph.vertices.last().unwrap();
    let Op::Run(run) = &vertex.op else {
        panic!("no RUN")
    };
    assert_eq!(vertex.inputs.len(), 2);
    assert_eq!(run.mounts[1].input, Some(1));
    assert_eq!(run.mounts[0].mount.target, "/run/secrets/s");
    assert_eq!(run.mounts[2].mount.target, "/c");
}

#[test]
fn triggers_run_in_the_stage_that_is_built_from_their_image_and_only_there() {
    let bases = Bases::from([(
        "b".to_owned(),
        base(r#"{"OnBuild":["COPY . /src","RUN make"]}"#),
    )]);
    let file = dockerfile::parse("FROM b AS one\nRUN own\nFROM one\nRUN two\n").file;
    let graph = plan(&file, &Request::default(), &bases).unwrap();
    let names: Vec<&str> = graph
        .vertices
        .iter()
        .map(|v| v.name.rsplit("] ").next().unwrap())
        .collect();
    assert_eq!(
        names,
        ["FROM b", "COPY . /src", "RUN make", "RUN own", "RUN two"]
    );
    assert!(graph.target.config.on_build.is_none());
}

#[test]
fn here_documents_become_scripts_files_and_input() {
    let script = made("FROM busybox\nRUN <<EOF\n#!/bin/python\nprint(1)\nEOF\n");
    let Op::Run(run) = &script.vertices.last().unwrap().op else {
        panic!("no RUN")
    };
    assert_eq!(run.args, ["/dev/pipes/EOF"]);
    assert_eq!(
        run.script.as_ref().unwrap().content,
        "#!/bin/python\nprint(1)\n"
    );
    let shell = made("FROM busybox\nRUN <<-EOF\n\techo $A\nEOF\n");
    let Op::Run(run) = &shell.vertices.last().unwrap().op else {
        panic!("no RUN")
    };
    assert_eq!(run.args, ["/bin/sh", "-c", "echo $A\n"]);
    let piped = made("FROM busybox\nRUN cat <<A <<B\n1\nA\n2\nB\n");
    let Op::Run(run) = &piped.vertices.last().unwrap().op else {
        panic!("no RUN")
    };
    assert_eq!(run.args[2], "cat <<A <<B\n1\nA\n2\nB");
    let file = made("FROM busybox\nARG N=x\nCOPY <<a.txt <<\"b.txt\" /d/\n$N\na.txt\n$N\nb.txt\n");
    let Op::Copy(copy) = &file.vertices.last().unwrap().op else {
        panic!("no COPY")
    };
    let inline = |name: &str, content: &str| Item::Inline {
        name: name.to_owned(),
        content: content.to_owned(),
    };
    assert_eq!(
        copy.items,
        [inline("a.txt", "x\n"), inline("b.txt", "$N\n")]
    );
}

#[test]
fn what_only_values_show_is_refused_with_its_words() {
    for (text, want) in [
        ("ARG B\nFROM $B", "should not be blank"),
        (
            "FROM busybox\nCOPY a b /d",
            "must be a directory and end with a /",
        ),
        (
            "FROM busybox\nCOPY https://x/y /",
            "source can't be a URL for COPY",
        ),
        (
            "FROM busybox\nCOPY --chmod=999 a /",
            "invalid chmod parameter",
        ),
        ("FROM busybox\nCOPY --from=3 a /", "invalid stage index"),
        ("FROM busybox AS a\nCOPY --from=a a /", "is this stage"),
        (
            "FROM busybox\nCOPY --from=z a /\nFROM busybox AS z",
            "could not be found",
        ),
        ("FROM busybox\nEXPOSE 99999", "invalid containerPort"),
        (
            "FROM --platform=x/y/z/w busybox",
            "failed to parse platform",
        ),
        (
            "FROM busybox\nRUN --mount=type=bind,source=/..,target=/x y",
            "leads out",
        ),
        (
            "FROM busybox\nRUN --mount=type=cache,id=../../x,target=/x y",
            "must not have `..`",
        ),
        (
            "FROM busybox\nRUN --mount=type=cache,source=../../..,target=/x y",
            "leads out",
        ),
        (
            "FROM busybox\nRUN --mount=type=tmpfs,target=/ y",
            "invalid mount target",
        ),
        (
            "FROM busybox\nADD git://h/r.git#--upload-pack=x /",
            "invalid git reference",
        ),
        (
            "FROM busybox\nADD git://h/r.git#main:../.. /",
            "invalid git reference",
        ),
        (
            "FROM busybox\nADD --checksum=sha256:0 a /",
            "checksum can't",
        ),
        (
            "FROM busybox\nENV A=\"${B:?must be there}\"",
            "must be there",
        ),
    ] {
        let request = if want == "could not be found" {
            Request {
                target: Some("q".to_owned()),
                ..Request::default()
            }
        } else {
            Request::default()
        };
        let error = make(text, &request).unwrap_err().to_string();
        assert!(error.contains(want), "{text}: {error}");
    }
    assert!(refused("FROM busybox\nRUN --device=x y").contains("not supported"));
}

#[test]
fn a_misspelt_stage_has_a_hint_and_dots_lead_nowhere() {
    let graph =
        made("FROM busybox AS builder\nFROM scratch\nCOPY --from=biulder ../../etc/passwd /x\n");
    let hint = graph.vertices.iter().find_map(|v| match &v.op {
        Op::Image(image) => image.hint.clone(),
        _ => None,
    });
    assert_eq!(hint.unwrap(), "did you mean the stage builder?");
    let Op::Copy(copy) = &graph.vertices.last().unwrap().op else {
        panic!("no COPY")
    };
    assert_eq!(copy.items, [Item::Path("etc/passwd".to_owned())]);
    assert_eq!(copy.unpack, Unpack::Never);
}

#[test]
fn stages_can_be_kept_from_the_cache() {
    let request = Request {
        cache: CacheUse::Except(["a".to_owned()].into()),
        ..Request::default()
    };
    let graph = make("FROM busybox AS a\nRUN x\nFROM a AS b\nRUN y\n", &request).unwrap();
    let reuse: Vec<Reuse> = graph.vertices.iter().map(|v| v.cached).collect();
    assert_eq!(reuse, [Reuse::Forbidden, Reuse::Forbidden, Reuse::Allowed]);
}
