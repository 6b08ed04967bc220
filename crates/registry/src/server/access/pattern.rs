//! Patterns of repositories: `team/*`, `team/**`, `{user}/**`.

/// A pattern of names. `*` in a component stands for any text in it, `**` as the last one for one or more components, and `{user}` for
/// the name of whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// All repositories.
    #[must_use]
    pub fn everything() -> Self {
        Self("**".to_owned())
    }

    /// Reads a pattern, or says what is wrong with it.
    ///
    /// # Errors
    /// It can fit no repository.
    pub fn parse(text: &str) -> Result<Self, String> {
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-*".contains(&b);
        for (at, part) in text.split('/').enumerate() {
            if part.is_empty() || part != "{user}" && !part.bytes().all(letter) {
                return Err(format!("no repository fits the pattern {text:?}"));
            }
            let last = at + 1 == text.split('/').count();
            if part.contains("**") && (part != "**" || !last) {
                return Err(format!(
                    "'**' must be the last part of the pattern {text:?}"
                ));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether a repository fits, if this user asks.
    pub(crate) fn fits(&self, name: &str, user: Option<&str>) -> bool {
        let mut name = name.split('/');
        for part in self.0.split('/') {
            if part == "**" {
                return name.next().is_some();
            }
            let Some(component) = name.next() else {
                return false;
            };
            let fits = match part {
                // A user whose name has a `*` has no more for it.
                "{user}" => user == Some(component),
                part => glob(part, component),
            };
            if !fits {
                return false;
            }
        }
        name.next().is_none()
    }
}

/// Whether a text fits a pattern with `*`.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits() {
        for (pattern, name, fits) in [
            ("**", "a", true),
            ("**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**", "a/b/c", true),
            ("a/*", "a/b", true),
            ("a/*", "a/b/c", false),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acd", false),
            ("a*b*c", "axbxc", true),
            ("*-base", "debian-base", true),
            ("a", "a/b", false),
            ("{user}/x", "me/x", true),
            ("{user}/x", "you/x", false),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(pattern.fits(name, Some("me")), fits, "{pattern:?} {name}");
        }
        assert!(!Pattern::parse("{user}/**").unwrap().fits("a/b", None));
        let own = Pattern::parse("{user}/**").unwrap();
        assert!(!own.fits("a/b", Some("*")));
        for bad in [
            "",
            "/",
            "a/",
            "**/a",
            "a**",
            "A",
            "a b",
            "x{user}",
            "{other}/x",
        ] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
