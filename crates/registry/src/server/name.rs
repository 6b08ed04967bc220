//! Names of repositories and tags, by the grammar of the specification ("Pulling manifests").

use spec::Digest;

/// The longest name of a repository.
const LONGEST: usize = 255;

/// A repository: `team/app`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(String);

impl Name {
    /// Reads a name; none if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (text.len() <= LONGEST && text.split('/').all(is_component)).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As one word of a key: no name has a `+`.
    pub(crate) fn word(&self) -> String {
        self.0.replace('/', "+")
    }

    /// What such a word stands for.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::parse(&word.replace('+', "/"))
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        let run = bytes[at..].iter().take_while(|b| inner(b)).count();
        at += run;
        if run == 0 || at == bytes.len() {
            return run > 0;
        }
        let joint = bytes[at..].iter().take_while(|b| !inner(b)).count();
        let text = &bytes[at..at + joint];
        let dashes = text.iter().all(|b| *b == b'-');
        if !(matches!(text, b"." | b"_" | b"__") || dashes) {
            return false;
        }
        at += joint;
    }
}

/// Whether a text is a tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
pub(crate) fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = text.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(|b| word(*b))
        && bytes.iter().all(|b| word(*b) || matches!(b, b'.' | b'-'))
}

/// What a manifest is asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// What a tag leads to.
    Tag(String),
    /// This one.
    Digest(Digest),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in [
            "a",
            "a/b/c",
            "a.b",
            "a_b",
            "a__b",
            "a-b",
            "a---b",
            "0/1",
            "a/blobs/uploads",
        ] {
            assert_eq!(
                Name::parse(good).map(|n| n.to_string()).as_deref(),
                Some(good)
            );
            let word = Name::parse(good).map(|n| n.word()).unwrap_or_default();
            assert_eq!(
                Name::from_word(&word).map(|n| n.to_string()).as_deref(),
                Some(good)
            );
        }
        for bad in [
            "", "/", "a/", "/a", "a//b", "A", ".", "..", "a/../b", "a..b", "a___b", "-a", "a-",
            "a._b", "_uploads", "a+b", "a b", "ä", "a\0b",
        ] {
            assert_eq!(Name::parse(bad), None, "{bad:?}");
        }
        assert!(Name::parse(&"a".repeat(255)).is_some());
        assert!(Name::parse(&"a".repeat(256)).is_none());
    }

    #[test]
    fn tags() {
        for good in ["a", "_", "A.b-c_d", "1.0", &"x".repeat(128)] {
            assert!(is_tag(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "-a",
            "a/b",
            "a:b",
            "..",
            "a b",
            "ä",
            &"x".repeat(129),
        ] {
            assert!(!is_tag(bad), "{bad}");
        }
    }
}
