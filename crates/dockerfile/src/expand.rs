//! Expansion of `$name`, `${name}` and `${name…}` with all modifiers, and the cutting into words that follows it.

mod pattern;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// What is expanded how.
#[derive(Debug, Clone, Copy)]
pub struct Expander {
    escape: char,
    raw_quotes: bool,
    raw_escapes: bool,
    keep_unset: bool,
    plain_quotes: bool,
}

/// An expanded text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expanded {
    /// As one text.
    pub text: String,
    /// Cut into words: white space outside quotes separates, that of a variable's value too.
    pub words: Vec<String>,
    /// The names that were found.
    pub used: BTreeSet<String>,
    /// The names that were not, and had no modifier that provides for that.
    pub unset: BTreeSet<String>,
}

/// Why a text cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandError(String);

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ExpandError {}

/// Gives a variable's value.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl Expander {
    /// An expander with the file's escape character.
    #[must_use]
    pub fn new(escape: char) -> Self {
        Self {
            escape,
            raw_quotes: false,
            raw_escapes: false,
            keep_unset: false,
            plain_quotes: false,
        }
    }

    /// Quotes stay in the result.
    #[must_use]
    pub fn raw_quotes(mut self) -> Self {
        self.raw_quotes = true;
        self
    }

    /// Escapes stay in the result.
    #[must_use]
    pub fn raw_escapes(mut self) -> Self {
        self.raw_escapes = true;
        self
    }

    /// A variable that is not set stays as it is written.
    #[must_use]
    pub fn keep_unset(mut self) -> Self {
        self.keep_unset = true;
        self
    }

    /// Quotes are characters like others: the content of here-documents.
    #[must_use]
    pub fn plain_quotes(mut self) -> Self {
        self.plain_quotes = true;
        self
    }

    /// Expands a text.
    ///
    /// # Errors
    /// An open quote or brace, an unknown modifier, or what `${name:?message}` says.
    pub fn expand(&self, text: &str, lookup: &Lookup<'_>) -> Result<Expanded, ExpandError> {
        let mut reader = Reader {
            options: *self,
            chars: text.chars().peekable(),
            lookup,
            used: BTreeSet::new(),
            unset: BTreeSet::new(),
            depth: 0,
        };
        let (out, words) = reader.until(None, self.raw_escapes)?;
        Ok(Expanded {
            text: out,
            words,
            used: reader.used,
            unset: reader.unset,
        })
    }
}

/// Collects words while characters come by.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    word: String,
}

impl Words {
    fn loose(&mut self, c: char) {
        if c.is_whitespace() {
            self.close();
        } else {
            self.word.push(c);
        }
    }

    fn close(&mut self) {
        if !self.word.is_empty() {
            self.done.push(std::mem::take(&mut self.word));
        }
    }
}

struct Reader<'a> {
    options: Expander,
    chars: Peekable<Chars<'a>>,
    lookup: &'a Lookup<'a>,
    used: BTreeSet<String>,
    unset: BTreeSet<String>,
    depth: usize,
}

/// Nested `${a:-${b:-…}}` deeper than this is no Dockerfile but an attack on the stack.
const MAX_DEPTH: usize = 64;

impl Reader<'_> {
    fn until(
        &mut self,
        stop: Option<char>,
        raw_escapes: bool,
    ) -> Result<(String, Vec<String>), ExpandError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return fail("substitutions are nested too deeply");
        }
        let outer = std::mem::replace(&mut self.options.raw_escapes, raw_escapes);
        let result = self.run(stop);
        self.options.raw_escapes = outer;
        self.depth -= 1;
        result
    }

    fn run(&mut self, stop: Option<char>) -> Result<(String, Vec<String>), ExpandError> {
        let mut out = String::new();
        let mut words = Words::default();
        while let Some(&c) = self.chars.peek() {
            if Some(c) == stop {
                self.chars.next();
                words.close();
                return Ok((out, words.done));
            }
            match c {
                '$' => {
                    let value = self.dollar()?;
                    value.chars().for_each(|c| words.loose(c));
                    out.push_str(&value);
                }
                '\'' | '"' if !self.options.plain_quotes => {
                    let value = if c == '\'' {
                        self.single()?
                    } else {
                        self.double()?
                    };
                    words.word.push_str(&value);
                    out.push_str(&value);
                }
                _ if c == self.options.escape => {
                    self.chars.next();
                    if self.options.raw_escapes {
                        words.word.push(c);
                        out.push(c);
                    }
                    if let Some(next) = self.chars.next() {
                        words.word.push(next);
                        out.push(next);
                    }
                }
                _ => {
                    self.chars.next();
                    words.loose(c);
                    out.push(c);
                }
            }
        }
        match stop {
            Some(stop) => fail(format!(
                "unexpected end of statement while looking for matching {stop}"
            )),
            None => {
                words.close();
                Ok((out, words.done))
            }
        }
    }

    fn single(&mut self) -> Result<String, ExpandError> {
        self.chars.next();
        let mut out = String::new();
        if self.options.raw_quotes {
            out.push('\'');
        }
        loop {
            match self.chars.next() {
                None => {
                    return fail(
                        "unexpected end of statement while looking for matching single-quote",
                    );
                }
                Some('\'') => {
                    if self.options.raw_quotes {
                        out.push('\'');
                    }
                    return Ok(out);
                }
                Some(c) => out.push(c),
            }
        }
    }

    fn double(&mut self) -> Result<String, ExpandError> {
        self.chars.next();
        let mut out = String::new();
        if self.options.raw_quotes {
            out.push('"');
        }
        loop {
            match self.chars.peek().copied() {
                None => {
                    return fail(
                        "unexpected end of statement while looking for matching double-quote",
                    );
                }
                Some('"') => {
                    self.chars.next();
                    if self.options.raw_quotes {
                        out.push('"');
                    }
                    return Ok(out);
                }
                Some('$') => out.push_str(&self.dollar()?),
                Some(c) if c == self.options.escape => {
                    self.chars.next();
                    if self.options.raw_escapes {
                        out.push(c);
                    }
                    // Only these can be escaped; before all others the escape is itself.
                    match self.chars.peek().copied() {
                        None => {}
                        Some(next) if next == '"' || next == '$' || next == c => {
                            self.chars.next();
                            out.push(next);
                        }
                        Some(_) => out.push(c),
                    }
                }
                Some(c) => {
                    self.chars.next();
                    out.push(c);
                }
            }
        }
    }

    fn dollar(&mut self) -> Result<String, ExpandError> {
        self.chars.next();
        if self.chars.peek() != Some(&'{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.value(&name, true) {
                None if self.options.keep_unset => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        self.chars.next();
        match self.chars.peek() {
            None => return fail("syntax error: missing '}'"),
            Some('{' | '}' | ':') => return fail("syntax error: bad substitution"),
            Some(_) => {}
        }
        let name = self.name();
        match self.chars.next() {
            None => fail("syntax error: missing '}'"),
            Some('}') => Ok(match self.value(&name, true) {
                None if self.options.keep_unset => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            }),
            Some(':') => {
                let Some(modifier) = self.chars.next() else {
                    return fail("syntax error: missing '}'");
                };
                self.modified(&name, true, modifier)
            }
            Some('/') => self.replace(&name),
            Some(modifier @ ('+' | '-' | '?' | '#' | '%')) => self.modified(&name, false, modifier),
            Some(other) => fail(format!("unsupported modifier ({other}) in substitution")),
        }
    }

    fn modified(&mut self, name: &str, colon: bool, modifier: char) -> Result<String, ExpandError> {
        let shown = if colon {
            format!(":{modifier}")
        } else {
            modifier.to_string()
        };
        let pattern = matches!(modifier, '#' | '%');
        let word = self.operand('}', pattern)?;
        let value = self.value(name, pattern);
        if self.options.keep_unset && value.is_none() {
            return Ok(format!("${{{name}{shown}{word}}}"));
        }
        let present = value.as_ref().is_some_and(|v| !(colon && v.is_empty()));
        match modifier {
            '-' => Ok(if present {
                value.unwrap_or_default()
            } else {
                word
            }),
            '+' => Ok(if present { word } else { String::new() }),
            '?' if present => Ok(value.unwrap_or_default()),
            '?' => {
                let why = if value.is_some() { "empty" } else { "unset" };
                fail(if word.is_empty() {
                    format!("{name}: is not allowed to be {why}")
                } else {
                    format!("{name}: {word}")
                })
            }
            '#' | '%' => {
                let (longest, word) = match word.strip_prefix(modifier) {
                    Some(rest) => (true, rest),
                    None => (false, word.as_str()),
                };
                let side = if modifier == '#' {
                    pattern::Side::Front
                } else {
                    pattern::Side::Back
                };
                pattern::trim(&value.unwrap_or_default(), word, side, longest).map_err(|why| {
                    ExpandError(format!("invalid pattern ({word}) in substitution: {why}"))
                })
            }
            _ => fail(format!("unsupported modifier ({shown}) in substitution")),
        }
    }

    fn replace(&mut self, name: &str) -> Result<String, ExpandError> {
        let all = self.chars.next_if_eq(&'/').is_some();
        let what = self.operand('/', true)?;
        let with = self.operand('}', true)?;
        let value = self.value(name, true);
        if self.options.keep_unset && value.is_none() {
            let slash = if all { "//" } else { "/" };
            return Ok(format!("${{{name}{slash}{what}/{with}}}"));
        }
        pattern::replace(&value.unwrap_or_default(), &what, &with, all)
            .map_err(|why| ExpandError(format!("invalid pattern ({what}) in substitution: {why}")))
    }

    fn operand(&mut self, stop: char, raw_escapes: bool) -> Result<String, ExpandError> {
        match self.until(Some(stop), raw_escapes) {
            Ok((word, _)) => Ok(word),
            Err(_) if self.chars.peek().is_none() && stop == '}' => {
                fail("syntax error: missing '}'")
            }
            Err(_) if self.chars.peek().is_none() => fail("syntax error: missing '/' in ${}"),
            Err(error) => Err(error),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.chars.peek().copied() {
            Some(c) if c.is_numeric() => {
                while let Some(c) = self.chars.next_if(|c| c.is_numeric()) {
                    name.push(c);
                }
            }
            Some(c @ ('@' | '*' | '#' | '?' | '-' | '$' | '!')) => {
                self.chars.next();
                name.push(c);
            }
            _ => {
                while let Some(c) = self.chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                }
            }
        }
        name
    }

    /// `report`: a variable that is missing here is missed.
    fn value(&mut self, name: &str, report: bool) -> Option<String> {
        let value = (self.lookup)(name);
        if value.is_some() {
            self.used.insert(name.to_owned());
        } else if report
            && name
                .chars()
                .next()
                .is_some_and(|c| c.is_alphabetic() || c == '_')
        {
            self.unset.insert(name.to_owned());
        }
        value
    }
}

fn fail<T>(message: impl Into<String>) -> Result<T, ExpandError> {
    Err(ExpandError(message.into()))
}
