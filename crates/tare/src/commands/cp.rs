use crate::archive::{self, Counted};
use crate::cx::Cx;
use crate::error::{Error, Outcome, Result};
use crate::output::{self, human};
use client::{Client, PutQuery};
use kernel::root::RootDir;
use place::{Found, Source};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use store::{Bounds, Conflicts, Extraction, Owners, TarWriter, Walk};

mod place;

/// Copy files/folders between a container and the local filesystem
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Archive mode: into a container, files belong to its user; out of it, they keep their owners
    #[arg(short, long)]
    archive: bool,
    /// Always follow symbol link in SRC_PATH
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Suppress progress output during copy
    #[arg(short, long)]
    quiet: bool,
    #[arg(required = true, hide = true)]
    source: String,
    #[arg(required = true, hide = true)]
    destination: String,
}

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let (from, to) = (split(&args.source), split(&args.destination));
    match (from, to) {
        ((Some(_), _), (Some(_), _)) => {
            Err(Error::local("copying between containers is not supported")
                .with_hint("'tare cp A:/path - | tare cp - B:/path'"))
        }
        ((None, _), (None, _)) => Err(Error::local("must specify at least one container source")),
        ((Some(container), path), (None, local)) => {
            out(&args, cx.client().await?, container, (path, local)).await
        }
        ((None, local), (Some(container), path)) => {
            into(&args, cx.client().await?, container, (local, path)).await
        }
    }
}

/// `CONTAINER:PATH`; what begins with a slash or a dot is a local path.
fn split(text: &str) -> (Option<&str>, &str) {
    match text.split_once(':') {
        Some((container, path)) if !text.starts_with(['/', '.']) => (Some(container), path),
        _ => (None, text),
    }
}

/// Out of a container.
async fn out(args: &Args, client: &Client, container: &str, paths: (&str, &str)) -> Outcome {
    let (path, local) = paths;
    let files = client.files();
    let mut source = Source::new(path);
    if args.follow_link
        && let Ok(stat) = files.stat(container, path).await
        && stat.is_link()
    {
        source = Source::followed(path, &stat.link_target);
    }
    let (stat, body) = files.get(container, &source.path).await?;
    if local == "-" {
        crate::session::copy(body).await?;
        return Ok(0);
    }
    source.is_directory = stat.is_directory();
    let (directory, rename) = place::plan(&source, &local_place(local)?)?;
    let owners = if args.archive && kernel::process::is_root() {
        Owners::Kept
    } else {
        Owners::Own
    };
    let how = Extraction {
        owners,
        conflicts: Conflicts::Refuse,
        rename,
    };
    let (body, count) = Counted::new(body);
    archive::fed(body, move |input| {
        let root = RootDir::open(&directory)
            .map_err(|why| Error::local(format!("open {directory}")).because(why))?;
        store::extract(&root, Path::new("/"), input, &how)
            .map_err(|why| Error::local(format!("copy to {directory}")).because(why))
    })
    .await?;
    told(args, count.bytes(), local);
    Ok(0)
}

/// What is at a local path that files are copied to.
fn local_place(path: &str) -> Result<Found> {
    let whole = std::path::absolute(path).map_err(|why| Error::io("find", path, why))?;
    let mut text = whole.display().to_string();
    if path.ends_with('/') && !text.ends_with('/') {
        text.push('/');
    }
    match std::fs::metadata(&whole) {
        Ok(meta) => Ok(Found {
            path: text,
            kind: Some(meta.is_dir()),
        }),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            // A link that leads nowhere yet: what it names is made.
            if let Ok(target) = std::fs::read_link(&whole) {
                let parent = whole.parent().unwrap_or(Path::new("/"));
                text = parent.join(target).display().to_string();
            }
            let (parent, _) = place::split(&text);
            let meta = std::fs::metadata(&parent);
            let meta = meta.map_err(|why| Error::io("copy to", &parent, why))?;
            if !meta.is_dir() {
                return Err(Error::local(format!("{parent}: not a directory")));
            }
            Ok(Found {
                path: text,
                kind: None,
            })
        }
        Err(why) => Err(Error::io("copy to", path, why)),
    }
}

/// Into a container.
async fn into(args: &Args, client: &Client, container: &str, paths: (&str, &str)) -> Outcome {
    let (local, path) = paths;
    let files = client.files();
    let mut found = Found {
        path: path.to_owned(),
        kind: None,
    };
    let mut stat = files.stat(container, path).await;
    if let Ok(link) = &stat
        && link.is_link()
    {
        found.path.clone_from(&link.link_target);
        stat = files.stat(container, &found.path).await;
    }
    // What can't be looked at may be made, if the directory above it is there.
    if let Ok(stat) = &stat {
        found.kind = Some(stat.is_directory());
    }
    let put = PutQuery {
        own: args.archive,
        replace: false,
    };
    if local == "-" {
        if found.kind != Some(true) {
            let text = format!("destination \"{container}:{path}\" must be a directory");
            return Err(Error::local(text));
        }
        files
            .put(container, &found.path, put, tokio::io::stdin())
            .await?;
        return Ok(0);
    }
    let (source, parent, name) = local_source(local, args.follow_link)?;
    let (directory, rename) = place::plan(&source, &found)?;
    let shown = rename.map_or_else(|| source.name().into_bytes(), |(_, new)| new);
    let tar = archive::made(move |writer| {
        let failed = |why: store::Error| Error::local("read").because(why);
        let mut tar = TarWriter::new(writer);
        let mut walk = Walk::of(
            &parent,
            name.as_os_str().as_bytes(),
            &shown,
            Bounds::AllMounts,
        )
        .map_err(failed)?;
        archive::write_walk(&mut walk, &mut tar).map_err(failed)?;
        tar.finish().map(drop).map_err(failed)
    })?;
    let (tar, count) = Counted::new(tar);
    files.put(container, &directory, put, tar).await?;
    told(args, count.bytes(), &format!("{container}:{path}"));
    Ok(0)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the user's own file, on the user's side"
)]
/// What is copied from here: its description, the directory that it is in, and its name there.
fn local_source(path: &str, follow: bool) -> Result<(Source, File, PathBuf)> {
    let failed = |why| Error::io("lstat", path, why);
    let whole = std::path::absolute(path).map_err(failed)?;
    let mut source = Source::new(path);
    let mut real = whole.clone();
    let directory = path.ends_with('/') || path.ends_with("/.") || path == ".";
    if follow {
        real = std::fs::canonicalize(&whole).map_err(failed)?;
        source = Source::followed(path, &real.display().to_string());
    } else {
        source.path = whole.display().to_string();
        if path.ends_with("/.") || path == "." {
            source.path.push_str("/.");
        }
    }
    let meta = if directory || follow {
        std::fs::metadata(&real)
    } else {
        std::fs::symlink_metadata(&real)
    };
    let meta = meta.map_err(failed)?;
    if directory && !meta.is_dir() {
        return Err(Error::local(format!("{path}: not a directory")));
    }
    source.is_directory = meta.is_dir();
    if meta.is_dir() {
        let here = File::open(&real).map_err(failed)?;
        return Ok((source, here, PathBuf::from(".")));
    }
    let parent = real.parent().unwrap_or(Path::new("/"));
    let name = real.file_name().unwrap_or(OsStr::new("."));
    let parent = File::open(parent).map_err(failed)?;
    Ok((source, parent, name.into()))
}

fn told(args: &Args, bytes: u64, place: &str) {
    if !args.quiet {
        let size = human::size(i64::try_from(bytes).unwrap_or(i64::MAX));
        output::say(&format!("Successfully copied {size} to {place}"));
    }
}
