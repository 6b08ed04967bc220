//! `.dockerignore`, with Docker's meaning, which is not git's: patterns are rooted, `**` crosses directories, the last
//! pattern that matches a path or one of its parents decides.

#[cfg(test)]
mod tests;

use crate::glob::{BadPattern, Class, Glob};

/// A set of patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoreError {
    /// The pattern, cleaned.
    pub pattern: String,
    /// What is wrong with it.
    pub message: String,
}

impl std::fmt::Display for IgnoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for IgnoreError {}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    keep: bool,
    how: How,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    Exact,
    Prefix,
    Suffix,
    Tokens(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`
    Any,
    /// `*`
    Star,
    /// `**` before something: nothing, or any number of whole directories.
    Directories,
    /// `**` at the end.
    Rest,
    Class(Class),
}

/// The patterns of a file's text: a byte order mark, comments (a `#` in the first column) and blanks leave, paths are
/// cleaned and lose their leading slash.
#[must_use]
pub fn lines(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut out = Vec::new();
    for line in text.lines() {
        if line.starts_with('#') {
            continue;
        }
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let (keep, pattern) = match line.strip_prefix('!') {
            Some(rest) => ("!", rest.trim()),
            None => ("", line),
        };
        let cleaned = if pattern.is_empty() {
            String::new()
        } else {
            clean(pattern)
        };
        let cleaned = match cleaned.strip_prefix('/') {
            Some(rest) if !rest.is_empty() => rest,
            _ => cleaned.as_str(),
        };
        out.push(format!("{keep}{cleaned}"));
    }
    out
}

impl Ignore {
    /// Reads a `.dockerignore`.
    ///
    /// # Errors
    /// A pattern is malformed, or is a lone `!`.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        Self::new(&lines(text))
    }

    /// Takes patterns as `--exclude` has them.
    ///
    /// # Errors
    /// A pattern is malformed, or is a lone `!`.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, IgnoreError> {
        let mut out = Vec::new();
        for pattern in patterns {
            let pattern = pattern.as_ref().trim();
            if pattern.is_empty() {
                continue;
            }
            let pattern = clean(pattern);
            let (keep, text) = match pattern.strip_prefix('!') {
                Some("") => {
                    return Err(IgnoreError {
                        pattern: pattern.clone(),
                        message: "illegal exclusion pattern: \"!\"".to_owned(),
                    });
                }
                Some(rest) => (true, rest),
                None => (false, pattern.as_str()),
            };
            let bad = |BadPattern| IgnoreError {
                pattern: text.to_owned(),
                message: format!("syntax error in pattern {text:?}"),
            };
            Glob::new(text).map_err(bad)?;
            out.push(Pattern {
                how: compile(text).map_err(bad)?,
                text: text.to_owned(),
                keep,
            });
        }
        Ok(Self { patterns: out })
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a path (relative, with slashes) is left out: by the last pattern that matches it or one of its parents.
    #[must_use]
    pub fn excludes(&self, path: &str) -> bool {
        let mut out = false;
        for pattern in &self.patterns {
            // A pattern that could only say what holds already is not asked.
            if pattern.keep != out {
                continue;
            }
            if pattern.matches_or_parent(path) {
                out = !pattern.keep;
            }
        }
        out
    }

    /// Whether something below an excluded directory may still be wanted, so that it must be walked.
    #[must_use]
    pub fn may_keep_below(&self, directory: &str) -> bool {
        self.patterns
            .iter()
            .filter(|p| p.keep)
            .any(|p| p.may_match_below(directory))
    }
}

impl Pattern {
    fn matches_or_parent(&self, path: &str) -> bool {
        self.matches(path)
            || path
                .match_indices('/')
                .any(|(at, _)| at > 0 && self.matches(&path[..at]))
    }

    fn matches(&self, path: &str) -> bool {
        match &self.how {
            How::Exact => path == self.text,
            How::Prefix => path.starts_with(&self.text[..self.text.len() - 2]),
            How::Suffix => {
                let suffix = &self.text[2..];
                path.ends_with(suffix) || suffix.strip_prefix('/').is_some_and(|rest| path == rest)
            }
            How::Tokens(tokens) => run(tokens, path),
        }
    }

    /// Component by component as long as there are no `**`.
    fn may_match_below(&self, directory: &str) -> bool {
        let mut wanted = self.text.split('/');
        for part in directory.split('/') {
            let Some(pattern) = wanted.next() else {
                return true;
            };
            if pattern.contains("**") {
                return true;
            }
            if !Glob::new(pattern).is_ok_and(|glob| glob.matches(part)) {
                return false;
            }
        }
        wanted.next().is_some()
    }
}

fn compile(text: &str) -> Result<How, BadPattern> {
    let mut how = How::Exact;
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    let mut special = false;
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                if chars.peek().is_none() {
                    tokens.push(Token::Rest);
                    if how == How::Exact && !special {
                        how = How::Prefix;
                    } else {
                        special = true;
                    }
                } else {
                    tokens.push(Token::Directories);
                    special = !first;
                }
                if first {
                    how = How::Suffix;
                }
            }
            '*' => {
                tokens.push(Token::Star);
                special = true;
            }
            '?' => {
                tokens.push(Token::Any);
                special = true;
            }
            '\\' => {
                tokens.push(Token::Literal(chars.next().unwrap_or('\\')));
                special = true;
            }
            '[' => {
                tokens.push(Token::Class(Class::read(&mut chars)?));
                special = true;
            }
            c => tokens.push(Token::Literal(c)),
        }
        first = false;
    }
    Ok(if special { How::Tokens(tokens) } else { how })
}

/// A set of positions walks through the pattern: linear in path × pattern.
fn run(tokens: &[Token], path: &str) -> bool {
    let path: Vec<char> = path.chars().collect();
    let mut here = vec![false; path.len() + 1];
    here[0] = true;
    for token in tokens {
        let mut next = vec![false; path.len() + 1];
        let mut open = false;
        for at in 0..=path.len() {
            let before = at.checked_sub(1).map(|i| path[i]);
            match token {
                Token::Star => {
                    open = here[at] || (open && before != Some('/'));
                    next[at] = open;
                }
                Token::Rest => {
                    open = open || here[at];
                    next[at] = open;
                }
                Token::Directories => {
                    next[at] = here[at] || (open && before == Some('/'));
                    open = open || here[at];
                }
                Token::Literal(c) => next[at] = at > 0 && here[at - 1] && before == Some(*c),
                Token::Any => next[at] = at > 0 && here[at - 1] && before != Some('/'),
                Token::Class(class) => {
                    next[at] = at > 0 && here[at - 1] && before.is_some_and(|c| class.holds(c));
                }
            }
        }
        here = next;
    }
    here[path.len()]
}

/// Go's `filepath.Clean`.
#[must_use]
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&"..") => parts.push(".."),
                Some(_) => {
                    parts.pop();
                }
                None if !rooted => parts.push(".."),
                None => {}
            },
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}
