//! Where what is copied goes, and under which name: docker's rules, which are those of `cp -a`. Pure.

use crate::error::{Error, Result};

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Its path.
    pub(super) path: String,
    pub(super) is_directory: bool,
    /// The name that it gets instead of its own: that of a link that led to it.
    rename: Option<String>,
}

/// What is at the place that it is copied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: String,
    /// Whether it is a directory; none if nothing is there.
    pub(super) kind: Option<bool>,
}

/// How the beginning of all names of an archive is replaced.
pub(super) type Rename = Option<(Vec<u8>, Vec<u8>)>;

impl Source {
    pub(super) fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            is_directory: false,
            rename: None,
        }
    }

    /// What a link leads to; the end of the path stays, and so does the link's name.
    pub(super) fn followed(path: &str, target: &str) -> Self {
        let mut target = target.to_owned();
        if path.ends_with("/.") {
            target.push_str("/.");
        } else if path.ends_with('/') {
            target.push('/');
        }
        let (own, real) = (base(path), base(&target));
        Self {
            path: target,
            is_directory: false,
            rename: (own != real).then_some(own),
        }
    }

    /// The name that it has in an archive of its own.
    pub(super) fn name(&self) -> String {
        split(&self.path).1
    }
}

/// The directory that an archive of the source is unpacked in, and the name that the source gets there.
pub(super) fn plan(source: &Source, found: &Found) -> Result<(String, Rename)> {
    let own = source.name();
    let rename = |name: String| {
        // All names of a root's archive begin with a slash, which stays.
        let old = if own == "/" {
            String::new()
        } else {
            own.clone()
        };
        (old != name).then(|| (old.into_bytes(), name.into_bytes()))
    };
    let (directory, name) = split(&found.path);
    match found.kind {
        Some(true) => Ok((found.path.clone(), source.rename.clone().and_then(rename))),
        Some(false) if source.is_directory => Err(Error::local("cannot copy directory")
            .with_hint(format!("{} is no directory", found.path))),
        None if !source.is_directory && is_directory(&found.path) => {
            Err(Error::local("no such directory").with_hint(format!("make {} first", found.path)))
        }
        _ => Ok((directory, rename(name))),
    }
}

/// Whether a path can only mean a directory.
fn is_directory(path: &str) -> bool {
    path.ends_with('/') || path.ends_with("/.") || path == "."
}

/// Without doubled slashes, `.` and `..`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (path.starts_with('/'), joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

fn base(path: &str) -> String {
    let clean = clean(path);
    match clean.rsplit_once('/') {
        Some((_, "")) => "/".to_owned(),
        Some((_, base)) => base.to_owned(),
        None => clean,
    }
}

/// A path's directory and its last part. `a/b/.` is `.` in `a/b`.
pub(super) fn split(path: &str) -> (String, String) {
    let clean = clean(path);
    if path.ends_with("/.") || path == "." {
        return (clean, ".".to_owned());
    }
    match clean.rsplit_once('/') {
        Some(("", "")) => ("/".to_owned(), "/".to_owned()),
        Some(("", base)) => ("/".to_owned(), base.to_owned()),
        Some((directory, base)) => (directory.to_owned(), base.to_owned()),
        None => (".".to_owned(), clean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        source: (&str, bool),
        found: (&str, Option<bool>),
        wanted: (&str, Option<(&str, &str)>),
    ) {
        let source = Source {
            is_directory: source.1,
            ..Source::new(source.0)
        };
        let found = Found {
            path: found.0.to_owned(),
            kind: found.1,
        };
        let (directory, rename) = plan(&source, &found).unwrap();
        let rename = rename.map(|(old, new)| {
            (
                String::from_utf8(old).unwrap(),
                String::from_utf8(new).unwrap(),
            )
        });
        let wanted_rename = wanted.1.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!((directory.as_str(), rename), (wanted.0, wanted_rename));
    }

    #[test]
    fn dockers_table() {
        // A file: to a new name, over a file, into a directory.
        check(("/a/f", false), ("/b/g", None), ("/b", Some(("f", "g"))));
        check(
            ("/a/f", false),
            ("/b/g", Some(false)),
            ("/b", Some(("f", "g"))),
        );
        check(("/a/f", false), ("/b/f", Some(false)), ("/b", None));
        check(("/a/f", false), ("/b", Some(true)), ("/b", None));
        // A directory: to a new name it becomes that, in a directory it is in it, its content alone with `/.`.
        check(("/a/d", true), ("/b/e", None), ("/b", Some(("d", "e"))));
        check(("/a/d", true), ("/b/e/", None), ("/b", Some(("d", "e"))));
        check(("/a/d", true), ("/b", Some(true)), ("/b", None));
        check(("/a/d/.", true), ("/b", Some(true)), ("/b", None));
        check(("/a/d/.", true), ("/b/e", None), ("/b", Some((".", "e"))));
        check(("/", true), ("/b/e", None), ("/b", Some(("", "e"))));
    }

    #[test]
    fn what_can_not_be() {
        let plan = |source: (&str, bool), found: (&str, Option<bool>)| {
            let source = Source {
                is_directory: source.1,
                ..Source::new(source.0)
            };
            let found = Found {
                path: found.0.to_owned(),
                kind: found.1,
            };
            plan(&source, &found).unwrap_err().story()
        };
        assert_eq!(
            plan(("/a/d", true), ("/b/f", Some(false))),
            "cannot copy directory"
        );
        assert_eq!(
            plan(("/a/f", false), ("/b/new/", None)),
            "no such directory"
        );
    }

    #[test]
    fn a_links_name_stays() {
        let source = Source::followed("/a/link", "/x/real");
        assert_eq!(
            (source.path.as_str(), source.name()),
            ("/x/real", "real".to_owned())
        );
        let found = Found {
            path: "/b".to_owned(),
            kind: Some(true),
        };
        let (_, rename) = plan(&source, &found).unwrap();
        assert_eq!(rename, Some((b"real".to_vec(), b"link".to_vec())));
        assert_eq!(Source::followed("/a/link/", "/x/link").path, "/x/link/");
    }

    #[test]
    fn paths_are_taken_apart() {
        for (path, wanted) in [
            ("/a/b", ("/a", "b")),
            ("/a/b/", ("/a", "b")),
            ("/a/b/.", ("/a/b", ".")),
            ("b", (".", "b")),
            (".", (".", ".")),
            ("/", ("/", "/")),
            ("/a", ("/", "a")),
            ("../x", ("..", "x")),
        ] {
            let (directory, base) = split(path);
            assert_eq!((directory.as_str(), base.as_str()), wanted, "{path}");
        }
    }
}
