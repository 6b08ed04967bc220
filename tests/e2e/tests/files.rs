//! A container's files: copied both ways, compared, exported and made an image, over both transports.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    changes_are_told,
    a_committed_container_is_an_image,
    a_commit_holds_the_container,
    an_export_is_imported_again,
    copies_follow_dockers_table,
    copies_keep_owners_and_see_volumes,
    no_copy_leaves_the_container,
    read_only_places_are_refused,
);

fn run(host: &Host, name: &str, script: &str) {
    let args = ["run", "--name", name, "--network", "none", "busybox", "sh"];
    let _out = host.tare(args.iter().copied().chain(["-c", script])).ok();
}

fn sleeper(host: &Host, name: &str, more: &[&str]) {
    let args = ["run", "-d", "--name", name, "--network", "none"];
    let command = ["busybox", "sleep", "1000"];
    let args = args.iter().chain(more).chain(&command);
    let _id = host.tare(args).ok();
}

#[track_caller]
fn make(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = File::create(path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

fn changes_are_told(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    run(&host, "c1", "mkdir /new; echo a > /new/file; rm /etc/group");
    let expected = "C /etc\nD /etc/group\nA /new\nA /new/file";
    assert_eq!(host.tare(["diff", "c1"]).ok(), expected);
    let _started = host.tare(["create", "--name", "never", "busybox"]).ok();
    assert_eq!(host.tare(["container", "diff", "never"]).ok(), "");
    let missing = host.tare(["diff", "nothing"]).fails(1);
    assert!(missing.contains("No such container: nothing"), "{missing}");
    host.finish();
}

fn a_committed_container_is_an_image(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    run(&host, "c1", "echo made > /made; rm /etc/group");
    let args = [
        "commit",
        "-a",
        "somebody",
        "-m",
        "by hand",
        "-c",
        "ENV X=y",
        "-c",
        "CMD [\"cat\", \"/made\"]",
        "c1",
        "committed:1",
    ];
    let id = host.tare(args).ok();
    assert_eq!(host.tare(["run", "--rm", "committed:1"]).ok(), "made");
    let gone = host.tare(["run", "--rm", "committed:1", "ls", "/etc/group"]);
    assert_ne!(gone.code, 0);
    let format = "{{.Id}} {{.Author}} {{.Comment}} {{.Config.Env}} {{len .RootFS.Layers}}";
    let told = host
        .tare(["image", "inspect", "-f", format, "committed:1"])
        .ok();
    assert!(
        told.starts_with(&format!("{id} somebody by hand ")),
        "{told}"
    );
    assert!(told.contains("X=y") && told.ends_with(" 2"), "{told}");
    // Nothing was written: the image has the same layers.
    let _created = host.tare(["create", "--name", "never", "busybox"]).ok();
    let bare = host.tare(["commit", "never"]).ok();
    let layers = host
        .tare(["image", "inspect", "-f", "{{len .RootFS.Layers}}", &bare])
        .ok();
    assert_eq!(layers, "1");
    let wrong = host.tare(["commit", "-c", "RUN true", "c1"]).fails(1);
    assert!(
        wrong.contains("RUN is not a valid change command"),
        "{wrong}"
    );
    // It leaves and comes back the same.
    let archive = host.scratch().join("saved.tar");
    let archive = archive.to_str().unwrap();
    let _saved = host.tare(["save", "-o", archive, "committed:1"]).ok();
    let _removed = host.tare(["rm", "c1", "never"]).ok();
    let _removed = host.tare(["rmi", "committed:1", &bare, "busybox"]).ok();
    let _loaded = host.tare(["load", "-q", "-i", archive]).ok();
    assert_eq!(host.tare(["run", "--rm", "committed:1"]).ok(), "made");
    assert_eq!(host.tare(["images", "-q", "--no-trunc"]).ok(), id);
    host.finish();
}

fn a_commit_holds_the_container(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    // A file is always as long as the other, but for the moment between.
    let script =
        "i=0; while true; do i=$((i+1)); for f in a b; do echo $i > /t; mv /t /$f; done; done";
    let args = ["run", "-d", "--name", "c1", "--network", "none", "busybox"];
    let _id = host
        .tare(args.iter().copied().chain(["sh", "-c", script]))
        .ok();
    let both = "while [ ! -e /b ]; do sleep 0.01; done";
    let _both = host.tare(["exec", "c1", "sh", "-c", both]).ok();
    for pause in [&[][..], &["--no-pause"]] {
        let args = ["commit"].iter().chain(pause).chain(&["c1", "held"]);
        let _id = host.tare(args).ok();
        let script = "a=$(cat /a); b=$(cat /b); echo $((a-b))";
        let out = host.tare(["run", "--rm", "held", "sh", "-c", script]).ok();
        if pause.is_empty() {
            assert!(["0", "1"].contains(&out.as_str()), "{out}");
        }
        assert_eq!(host.tare(["exec", "c1", "echo", "runs"]).ok(), "runs");
    }
    host.finish();
}

fn an_export_is_imported_again(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let volume = ["-v", "kept:/kept"];
    sleeper(&host, "c1", &volume);
    let script = "echo a > /own; echo b > /kept/volume; ln -s /etc/passwd /link";
    let _out = host.tare(["exec", "c1", "sh", "-c", script]).ok();
    let tar = host.scratch().join("exported.tar");
    let tar = tar.to_str().unwrap();
    for running in [true, false] {
        let _exported = host.tare(["export", "-o", tar, "c1"]).ok();
        let _id = host.tare(["import", tar, "exported"]).ok();
        let script = "cat /own; readlink /link; ls /kept; ls -d /proc /dev";
        let args = [
            "run",
            "--rm",
            "--network",
            "none",
            "exported",
            "sh",
            "-c",
            script,
        ];
        assert_eq!(
            host.tare(args).ok(),
            "a\n/etc/passwd\n/dev\n/proc",
            "running: {running}"
        );
        let _stopped = host.tare(["stop", "-t", "0", "c1"]).ok();
    }
    host.finish();
}

fn copies_follow_dockers_table(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let here = host.scratch();
    let local = |name: &str| here.join(name).display().to_string();
    make(&here.join("file"), "file");
    make(&here.join("tree/a"), "a");
    make(&here.join("tree/deep/b"), "b");
    std::os::unix::fs::symlink("file", here.join("link")).unwrap();
    sleeper(&host, "c1", &[]);
    let cp = |from: &str, to: &str| host.tare(["cp", "-q", from, to]);
    let cat = |path: &str| host.tare(["exec", "c1", "cat", path]).ok();
    for _running in 0..2 {
        let _made = cp(&local("file"), "c1:/tmp/new").ok();
        let _over = cp(&local("tree/a"), "c1:/tmp/new").ok();
        let _into = cp(&local("file"), "c1:/tmp").ok();
        let _tree = cp(&local("tree"), "c1:/tmp/copy").ok();
        let _tree = cp(&local("tree"), "c1:/tmp/copy").ok();
        let _content = cp(&format!("{}/.", local("tree")), "c1:/tmp/flat").ok();
        let _link = cp(&local("link"), "c1:/tmp/link").ok();
        let _followed = host
            .tare(["cp", "-qL", &local("link"), "c1:/tmp/real"])
            .ok();
        let refused = cp(&local("tree"), "c1:/tmp/new").fails(1);
        assert!(refused.contains("cannot copy directory"), "{refused}");
        let refused = cp(&local("file"), "c1:/tmp/absent/").fails(1);
        assert!(refused.contains("no such directory"), "{refused}");
        let refused = cp(&local("absent"), "c1:/tmp").fails(1);
        assert!(refused.contains("no such file or directory") || refused.contains("No such file"));
        // And out again.
        for (from, to, inside, text) in [
            ("c1:/tmp/new", "out-file", "", "a"),
            ("c1:/tmp/copy", "out-tree", "deep/b", "b"),
            ("c1:/tmp/copy/tree", "out-inner", "a", "a"),
            ("c1:/tmp/flat/.", "out-flat", "deep/b", "b"),
            ("c1:/tmp/real", "out-real", "", "file"),
        ] {
            let to_path = here.join(to);
            let _copied = cp(from, to_path.to_str().unwrap()).ok();
            let whole = if inside.is_empty() {
                to_path.clone()
            } else {
                to_path.join(inside)
            };
            assert_eq!(std::fs::read_to_string(whole).unwrap(), text, "{from}");
            remove(&to_path);
        }
        let _link = cp("c1:/tmp/link", &local("out-link")).ok();
        let target = std::fs::read_link(here.join("out-link")).unwrap();
        assert_eq!(target, PathBuf::from("file"));
        let followed = ["cp", "-q", "-L", "c1:/tmp/link", &local("out-link2")];
        let _link = host.tare(followed).ok();
        assert_eq!(
            std::fs::read_to_string(here.join("out-link2")).unwrap(),
            "file"
        );
        std::fs::remove_file(here.join("out-link")).unwrap();
        std::fs::remove_file(here.join("out-link2")).unwrap();
        if host.tare(["ps", "-q"]).ok().is_empty() {
            let _started = host.tare(["start", "c1"]).ok();
        }
        assert_eq!(cat("/tmp/copy/tree/deep/b"), "b");
        assert_eq!(cat("/tmp/flat/a"), "a");
        assert_eq!(cat("/tmp/file"), "file");
        let _gone = host.tare(["exec", "c1", "sh", "-c", "rm -rf /tmp/*"]).ok();
        let _stopped = host.tare(["stop", "-t", "0", "c1"]).ok();
    }
    let told = host.tare(["cp", &local("file"), "c1:/tmp/told"]);
    assert!(
        told.stderr.contains("Successfully copied"),
        "{}",
        told.stderr
    );
    // Standard input and output.
    let mut tar = host.command(["cp", "c1:/tmp/told", "-"]);
    tar.stdout(File::create(here.join("told.tar")).unwrap());
    assert!(tar.status().unwrap().success());
    let mut back = host.command(["cp", "-", "c1:/etc"]);
    back.stdin(File::open(here.join("told.tar")).unwrap());
    assert!(back.status().unwrap().success());
    let _copied = cp("c1:/etc/told", &local("told")).ok();
    assert_eq!(std::fs::read_to_string(here.join("told")).unwrap(), "file");
    let refused = host
        .tare_with_input(["cp", "-", "c1:/etc/told"], b"")
        .fails(1);
    assert!(refused.contains("must be a directory"), "{refused}");
    let refused = cp("c1:/absent", &local("x")).fails(1);
    assert!(
        refused.contains("Could not find the file /absent in container c1"),
        "{refused}"
    );
    let refused = cp("c1:/a", "d1:/b").fails(1);
    assert!(refused.contains("between containers"), "{refused}");
    host.finish();
}

fn remove(path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
}

fn copies_keep_owners_and_see_volumes(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let here = host.scratch();
    let bound = here.join("bound");
    std::fs::create_dir(&bound).unwrap();
    let bind = format!("{}:/bound", bound.display());
    sleeper(
        &host,
        "c1",
        &["-v", "vol:/v", "-v", &bind, "-u", "1000:1000"],
    );
    make(&here.join("owned"), "owned");
    let owned = here.join("owned");
    std::os::unix::fs::chown(&owned, Some(7), Some(8)).unwrap();
    std::fs::set_permissions(&owned, std::fs::Permissions::from_mode(0o640)).unwrap();
    let owned = owned.to_str().unwrap();
    for _running in 0..2 {
        for place in ["/v", "/bound", "/tmp"] {
            let _copied = host
                .tare(["cp", "-q", owned, &format!("c1:{place}/kept")])
                .ok();
            let _copied = host
                .tare(["cp", "-qa", owned, &format!("c1:{place}/users")])
                .ok();
            for (name, owner) in [("kept", (7, 8)), ("users", (1000, 1000))] {
                let back = here.join("back");
                let from = format!("c1:{place}/{name}");
                let _back = host.tare(["cp", "-qa", &from, back.to_str().unwrap()]).ok();
                let meta = std::fs::metadata(&back).unwrap();
                assert_eq!((meta.uid(), meta.gid()), owner, "{from}");
                assert_eq!(meta.mode() & 0o7777, 0o640);
                let _back = host.tare(["cp", "-q", &from, back.to_str().unwrap()]).ok();
                assert_eq!(std::fs::metadata(&back).unwrap().uid(), 0, "the caller's");
                std::fs::remove_file(&back).unwrap();
            }
        }
        assert!(
            bound.join("kept").exists(),
            "a bind is the host's directory"
        );
        std::fs::remove_file(bound.join("kept")).unwrap();
        let volume = host.root().join("volumes/vol");
        assert!(volume.join("users").exists());
        let _stopped = host.tare(["stop", "-t", "0", "c1"]).ok();
    }
    host.finish();
}

fn no_copy_leaves_the_container(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let here = host.scratch();
    let victim = here.join("victim");
    make(&victim.join("secret"), "secret");
    make(&here.join("file"), "written");
    let secret = victim.join("secret").display().to_string();
    let script = format!(
        "mkdir -p {0}; ln -s {0} /away; ln -s {1} /leaf; ln -s ../../../../../../../{1} /up; ln -s /proc/1/root{1} /magic",
        victim.display(),
        secret
    );
    sleeper(&host, "c1", &[]);
    let _made = host.tare(["exec", "c1", "sh", "-c", &script]).ok();
    let file = here.join("file");
    let file = file.to_str().unwrap();
    for _running in 0..2 {
        for place in ["/away", "/away/new", "/leaf", "/up", "/magic"] {
            let _outcome = host.tare(["cp", "-q", file, &format!("c1:{place}")]);
            assert_eq!(
                std::fs::read_to_string(&secret).unwrap(),
                "secret",
                "{place}"
            );
            assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 1, "{place}");
        }
        for place in ["/leaf", "/up", "/magic", "/away/secret"] {
            for flags in ["-q", "-qL"] {
                let out = here.join("out");
                let from = format!("c1:{place}");
                let _outcome = host.tare(["cp", flags, &from, out.to_str().unwrap()]);
                if out.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
                    assert_ne!(std::fs::read_to_string(&out).unwrap(), "secret", "{from}");
                }
                drop(std::fs::remove_file(&out));
            }
        }
        let _stopped = host.tare(["stop", "-t", "0", "c1"]).ok();
    }
    // Out of it, no link that was copied before is followed either.
    let _started = host.tare(["start", "c1"]).ok();
    let script = format!(
        "rm -rf /box; mkdir /box; ln -s {} /box/out; mkdir /box2; echo bad > /box2/secret",
        victim.display()
    );
    let _made = host.tare(["exec", "c1", "sh", "-c", &script]).ok();
    let _copied = host
        .tare(["cp", "-q", "c1:/box", here.to_str().unwrap()])
        .ok();
    let into = here.join("box");
    let script = "rm -rf /box; mkdir -p /box/out; cp /box2/secret /box/out/secret";
    let _made = host.tare(["exec", "c1", "sh", "-c", script]).ok();
    let refused = host
        .tare(["cp", "-q", "c1:/box/.", into.to_str().unwrap()])
        .fails(1);
    assert!(
        refused.contains("cannot overwrite non-directory"),
        "{refused}"
    );
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "secret");
    raced(&host, &here, &victim);
    host.finish();
}

/// A container that exchanges a directory for a link all the time.
fn raced(host: &Host, here: &Path, victim: &Path) {
    let script = format!(
        "mkdir -p /race/real; cd /race; ln -s {} link; while true; do mv -T real at; mv -T at real; ln -sfn link at; rm -f at; done",
        victim.display()
    );
    let _id = host.tare(["exec", "-d", "c1", "sh", "-c", &script]).ok();
    let file = here.join("file");
    for _ in 0..40 {
        let _outcome = host.tare(["cp", "-q", file.to_str().unwrap(), "c1:/race/at/secret"]);
        assert_eq!(
            std::fs::read_to_string(victim.join("secret")).unwrap(),
            "secret"
        );
    }
    assert_eq!(std::fs::read_dir(victim).unwrap().count(), 1);
}

fn read_only_places_are_refused(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let file = host.scratch().join("file");
    make(&file, "file");
    let file = file.to_str().unwrap();
    let flags = ["--read-only", "-v", "written:/w", "-v", "read:/r:ro"];
    sleeper(&host, "c1", &flags);
    for _running in 0..2 {
        let refused = host.tare(["cp", "-q", file, "c1:/etc/file"]).fails(1);
        assert!(
            refused.contains("container rootfs is marked read-only"),
            "{refused}"
        );
        let _refused = host.tare(["cp", "-q", file, "c1:/r/file"]).fails(1);
        let _copied = host.tare(["cp", "-q", file, "c1:/w/file"]).ok();
        let _stopped = host.tare(["stop", "-t", "0", "c1"]).ok();
    }
    host.finish();
}
