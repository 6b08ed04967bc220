//! Builds that run nothing: contexts, copies, cache, mistakes.

use std::io::Cursor;

use engine::build::{BuildEvent, BuildRequest, Context, What};
use engine::image::ImageFilters;
use engine::{Engine, Kind, Result};
use spec::ImageId;
use tokio::sync::mpsc;

use crate::place::{Place, block};

/// A context: names and contents; a target after an arrow makes a link.
fn context(files: &[(&str, &str)], mtime: u64) -> Cursor<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_mtime(mtime);
        header.set_uid(1000);
        if let Some(target) = content.strip_prefix("-> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, name, target).unwrap();
            continue;
        }
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_bytes())
            .unwrap();
    }
    Cursor::new(tar.into_inner().unwrap())
}

async fn build(
    engine: &Engine,
    files: &[(&str, &str)],
    mtime: u64,
) -> (Result<ImageId>, Vec<BuildEvent>) {
    let (sender, mut events) = mpsc::unbounded_channel();
    let request = BuildRequest {
        tags: vec!["built".parse().unwrap(), "other:1".parse().unwrap()],
        ..BuildRequest::default()
    };
    let built = engine
        .builds()
        .build(request, Context::stream(context(files, mtime)), sender)
        .await
        .map(|built| built.image.unwrap());
    let mut all = Vec::new();
    while let Ok(event) = events.try_recv() {
        all.push(event);
    }
    (built, all)
}

fn hits(events: &[BuildEvent]) -> usize {
    let cached = |event: &&BuildEvent| matches!(event.what, What::Cached(_));
    events.iter().filter(cached).count()
}

#[test]
fn the_same_files_are_the_same_image_whatever_their_times() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    let file = "FROM scratch AS a\nCOPY one /x/\nFROM scratch\nENV A=1\nCOPY --from=a /x/one /one\nCOPY --chown=5:6 --chmod=600 . /all/\nCMD [\"/one\"]\n";
    let files = [
        ("Dockerfile", file),
        (".dockerignore", "secret\n"),
        ("one", "1"),
        ("d/two", "2"),
        ("secret", "no"),
    ];
    block(async {
        let engine = place.engine();
        let (first, events) = build(&engine, &files, 1_000_000).await;
        let first = first.unwrap();
        assert_eq!(hits(&events), 0);
        let (again, events) = build(&engine, &files, 2_000_000).await;
        assert_eq!(again.unwrap(), first);
        assert_eq!(hits(&events), 3, "times do not count");
        let image = engine.images().inspect("other:1").await.unwrap();
        assert_eq!(image.config.config.cmd.unwrap(), ["/one"]);
        assert_eq!(image.layers.len(), 2);
        // Without the cache the same comes out.
        assert_eq!(engine.builds().prune().await.unwrap().keys.len(), 3);
        let (third, events) = build(&engine, &files, 3_000_000).await;
        assert_eq!((third.unwrap(), hits(&events)), (first, 0));
        let mut changed = files;
        changed[3] = ("d/two", "3");
        let (other, events) = build(&engine, &changed, 1).await;
        assert_ne!(other.unwrap(), first);
        assert_eq!(hits(&events), 2, "only what took the file is made again");
        // What .dockerignore leaves out does not count.
        let mut changed = files;
        changed[4] = ("secret", "other");
        assert_eq!(build(&engine, &changed, 1).await.0.unwrap(), first);
    });
    place.assert_sound();
}

#[test]
fn mistakes_have_their_place_and_leave_nothing() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        for (file, want, hint) in [
            (
                "FROM scratch\nRNU x",
                "dockerfile parse error on line 2: unknown instruction: RNU",
                "did you mean RUN?",
            ),
            (
                "FROM scratch\nCOPY onn /",
                "onn: not found",
                "did you mean one?",
            ),
            (
                "FROM scratch\nCOPY secret /",
                "secret: not found",
                "left out by .dockerignore",
            ),
            (
                "FROM bulid\nFROM scratch AS build\nFROM bulid",
                "No such image: bulid",
                "did you mean the stage build?",
            ),
            (
                "FROM scratch\nRUN --mount=type=secret,id=a,required=true x",
                "secret a: not found",
                "--secret id=a",
            ),
            (
                "FROM scratch\nADD http://127.0.0.1/x /",
                "not supported",
                "COPY",
            ),
            (
                "FROM scratch\nCOPY --chown=nobody one /",
                "unable to find user nobody",
                "",
            ),
        ] {
            let files = [
                ("Dockerfile", file),
                (".dockerignore", "secret"),
                ("one", "1"),
                ("secret", "no"),
            ];
            let error = build(&engine, &files, 1).await.0.unwrap_err();
            assert!(error.chain().contains(want), "{file}: {}", error.chain());
            assert!(
                error.hint.clone().unwrap_or_default().contains(hint),
                "{file}: {:?}",
                error.hint
            );
            assert_ne!(error.kind, Kind::Internal, "{file}");
        }
        assert!(
            engine
                .images()
                .list(ImageFilters::default())
                .await
                .unwrap()
                .is_empty()
        );
    });
    place.assert_sound();
}

#[test]
fn links_of_a_context_lead_nowhere_but_into_it() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        for link in ["-> /etc/hostname", "-> ../../../../../../etc/hostname"] {
            let files = [
                (
                    "Dockerfile",
                    "FROM scratch\nCOPY link /x\nCOPY ../../etc/hostname /y\n",
                ),
                ("link", link),
                ("etc/hostname", "ours"),
            ];
            let id = build(&engine, &files, 1).await.0.unwrap();
            let plain = [
                (
                    "Dockerfile",
                    "FROM scratch\nCOPY link /x\nCOPY ../../etc/hostname /y\n",
                ),
                ("link", "ours"),
                ("etc/hostname", "ours"),
            ];
            assert_eq!(build(&engine, &plain, 1).await.0.unwrap(), id, "{link}");
        }
    });
    place.assert_sound();
}
