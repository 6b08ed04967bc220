//! Go's `filepath.Match`, which COPY and ADD use for their sources.

/// A pattern that can be matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<Token>);

/// The pattern is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPattern;

impl std::fmt::Display for BadPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("syntax error in pattern")
    }
}

impl std::error::Error for BadPattern {}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    Any,
    Star,
    Class(Class),
}

/// `[a-z]`, `[^x]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    pub(crate) fn holds(&self, c: char) -> bool {
        self.ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&c))
            != self.negated
    }

    /// Reads what follows `[` up to and including `]`.
    pub(crate) fn read(
        chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    ) -> Result<Self, BadPattern> {
        let negated = chars.next_if_eq(&'^').is_some();
        let mut ranges = Vec::new();
        loop {
            if chars.peek() == Some(&']') && !ranges.is_empty() {
                chars.next();
                return Ok(Self { negated, ranges });
            }
            let low = Self::member(chars)?;
            let high = if chars.next_if_eq(&'-').is_some() {
                Self::member(chars)?
            } else {
                low
            };
            // A class that the text ends in is open.
            if chars.peek().is_none() {
                return Err(BadPattern);
            }
            ranges.push((low, high));
        }
    }

    fn member(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, BadPattern> {
        match chars.next() {
            None | Some('-' | ']') => Err(BadPattern),
            Some('\\') => chars.next().ok_or(BadPattern),
            Some(c) => Ok(c),
        }
    }
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is malformed: an open class, a lone escape.
    pub fn new(pattern: &str) -> Result<Self, BadPattern> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Star,
                '?' => Token::Any,
                '\\' => Token::Literal(chars.next().ok_or(BadPattern)?),
                '[' => Token::Class(Class::read(&mut chars)?),
                c => Token::Literal(c),
            });
        }
        Ok(Self(tokens))
    }

    /// Whether the whole of `text` matches. `*` and `?` match no slash.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut token) = (0, 0);
        // Where the last star stood, and how far it has eaten.
        let mut star: Option<(usize, usize)> = None;
        loop {
            let one = match (self.0.get(token), text.get(at)) {
                (None, None) => return true,
                (Some(Token::Star), _) => {
                    star = Some((token, at));
                    token += 1;
                    continue;
                }
                (Some(Token::Literal(c)), Some(x)) => c == x,
                (Some(Token::Any), Some(x)) => *x != '/',
                (Some(Token::Class(class)), Some(x)) => class.holds(*x),
                _ => false,
            };
            if one {
                at += 1;
                token += 1;
                continue;
            }
            match star {
                Some((back, eaten)) if eaten < text.len() && text[eaten] != '/' => {
                    star = Some((back, eaten + 1));
                    at = eaten + 1;
                    token = back + 1;
                }
                _ => return false,
            }
        }
    }

    /// Whether the text has a character that means something in a pattern.
    #[must_use]
    pub fn is_pattern(text: &str) -> bool {
        text.contains(['*', '?', '['])
    }
}
