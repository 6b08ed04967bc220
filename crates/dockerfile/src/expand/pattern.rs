//! The shell patterns of `${name#…}`, `${name%…}` and `${name/…}`: `*`, `?` and escapes, no brackets.

/// Which end is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Front,
    Back,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Star,
    Any,
    Literal(char),
}

fn tokens(pattern: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '*' => Token::Star,
            '?' => Token::Any,
            '\\' => match chars.next() {
                Some(next @ ('}' | '/' | '*' | '?' | '\\')) => Token::Literal(next),
                Some(other) => return Err(format!("invalid escape '\\{other}'")),
                None => return Err("invalid escape at the end".to_owned()),
            },
            other => Token::Literal(other),
        });
    }
    Ok(out)
}

/// The ends of all matches that start at `start`, ascending. Linear in text × pattern: no pattern can blow up.
fn ends(tokens: &[Token], text: &[char], start: usize) -> Vec<usize> {
    let mut here = vec![false; text.len() + 1];
    here[start] = true;
    for token in tokens {
        let mut next = vec![false; text.len() + 1];
        let mut open = false;
        for at in start..=text.len() {
            let reached = here[at];
            match token {
                Token::Star => {
                    // As with a regular expression's dot, a newline is not matched.
                    open = reached || (open && at > start && text[at - 1] != '\n');
                    next[at] = open;
                }
                Token::Any => {
                    if reached && at < text.len() && text[at] != '\n' {
                        next[at + 1] = true;
                    }
                }
                Token::Literal(c) => {
                    if reached && at < text.len() && text[at] == *c {
                        next[at + 1] = true;
                    }
                }
            }
        }
        here = next;
    }
    (start..=text.len()).filter(|at| here[*at]).collect()
}

/// Cuts the shortest or longest match off one end.
pub(super) fn trim(
    value: &str,
    pattern: &str,
    side: Side,
    longest: bool,
) -> Result<String, String> {
    let mut tokens = tokens(pattern)?;
    let mut text: Vec<char> = value.chars().collect();
    if side == Side::Back {
        tokens.reverse();
        text.reverse();
    }
    let found = ends(&tokens, &text, 0);
    let cut = if longest { found.last() } else { found.first() };
    let mut rest = text.split_off(cut.copied().unwrap_or(0));
    if side == Side::Back {
        rest.reverse();
    }
    Ok(rest.into_iter().collect())
}

/// Replaces the first or every match, each as long as can be.
pub(super) fn replace(value: &str, what: &str, with: &str, all: bool) -> Result<String, String> {
    let tokens = tokens(what)?;
    let text: Vec<char> = value.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    let mut done = false;
    while at <= text.len() {
        let end = if done {
            None
        } else {
            ends(&tokens, &text, at).last().copied()
        };
        match end {
            Some(end) => {
                out.push_str(with);
                done = !all;
                if end > at {
                    at = end;
                    // A match that reached the end leaves no empty one behind it.
                    if at == text.len() {
                        break;
                    }
                    continue;
                }
            }
            None if done => {
                out.extend(&text[at..]);
                break;
            }
            None => {}
        }
        if let Some(c) = text.get(at) {
            out.push(*c);
        }
        at += 1;
    }
    Ok(out)
}
