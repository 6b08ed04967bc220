//! Paths of images: always absolute, never above the root.

/// `path` seen from the directory `base`; a slash, `.` or `..` at the end means a directory and stays as a slash.
pub(crate) fn absolute(base: &str, path: &str) -> String {
    let joined = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{path}", if base.is_empty() { "/" } else { base })
    };
    let directory = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let clean = dockerfile::ignore::clean(&joined);
    if directory && clean != "/" {
        format!("{clean}/")
    } else {
        clean
    }
}

/// A source inside a context: `../` at its front leads nowhere and leaves, as in Docker.
pub(crate) fn inside(path: &str) -> String {
    let clean = dockerfile::ignore::clean(&format!("/{path}"));
    let inner = clean.trim_start_matches('/');
    if inner.is_empty() {
        ".".to_owned()
    } else {
        inner.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{absolute, inside};

    #[test]
    fn nothing_leads_out() {
        for (base, path, want) in [
            ("/", "a", "/a"),
            ("/w", "a/", "/w/a/"),
            ("/w", ".", "/w/"),
            ("/w", "..", "/"),
            ("/w", "../../../x", "/x"),
            ("", "./", "/"),
            ("/w", "/abs/../x", "/x"),
        ] {
            assert_eq!(absolute(base, path), want, "{base} {path}");
        }
        for (path, want) in [("../x", "x"), ("/etc", "etc"), ("", "."), ("a/../..", ".")] {
            assert_eq!(inside(path), want, "{path}");
        }
    }
}
