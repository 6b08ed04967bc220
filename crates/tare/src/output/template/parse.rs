//! Text → nodes.

/// One piece of a template.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(String),
    Print(Pipe),
    /// The branches in order; an `else` is a branch without a condition.
    If(Vec<(Option<Pipe>, Vec<Node>)>),
    With(Pipe, Vec<Node>, Vec<Node>),
    Range {
        names: Vec<String>,
        pipe: Pipe,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
}

impl Node {
    /// The first field that a printing node names.
    pub(super) fn first_field(&self) -> Option<&str> {
        let Self::Print(pipe) = self else { return None };
        pipe.commands
            .iter()
            .flat_map(|c| &c.0)
            .find_map(|operand| match operand {
                Operand::Path(Base::Dot, fields) => fields.first().map(String::as_str),
                _ => None,
            })
    }
}

/// `name := a | b | c`.
#[derive(Debug, Clone)]
pub(super) struct Pipe {
    pub(super) set: Option<String>,
    pub(super) commands: Vec<Command>,
}

/// A function with its arguments, or one operand.
#[derive(Debug, Clone)]
pub(super) struct Command(pub(super) Vec<Operand>);

#[derive(Debug, Clone)]
pub(super) enum Operand {
    Path(Base, Vec<String>),
    Text(String),
    Int(i64),
    Bool(bool),
    Nil,
    Function(String),
}

/// What a path of fields starts from.
#[derive(Debug, Clone)]
pub(super) enum Base {
    Dot,
    Variable(String),
    Group(Box<Pipe>),
}

pub(super) fn template(text: &str) -> Result<Vec<Node>, String> {
    let mut parser = Parser {
        rest: text,
        trim_next: false,
    };
    let (nodes, end) = parser.list()?;
    match end {
        Stop::Eof => Ok(nodes),
        Stop::Else(_) => Err("unexpected {{else}}".into()),
        Stop::End => Err("unexpected {{end}}".into()),
    }
}

/// What ended a list of nodes.
enum Stop {
    Eof,
    End,
    /// `{{else}}` or `{{else if …}}` with the rest of its action.
    Else(String),
}

struct Parser<'a> {
    rest: &'a str,
    trim_next: bool,
}

impl Parser<'_> {
    fn list(&mut self) -> Result<(Vec<Node>, Stop), String> {
        let mut nodes = Vec::new();
        loop {
            let (text, action) = self.next_action()?;
            if !text.is_empty() {
                nodes.push(Node::Text(text));
            }
            let Some(action) = action else {
                return Ok((nodes, Stop::Eof));
            };
            let (word, tail) = split_word(&action);
            match word {
                "end" => return Ok((nodes, Stop::End)),
                "else" => return Ok((nodes, Stop::Else(tail.to_owned()))),
                "if" => nodes.push(self.branches(tail)?),
                "with" => {
                    let pipe = whole_pipe(tail)?;
                    let (body, otherwise) = self.body_and_else("with")?;
                    nodes.push(Node::With(pipe, body, otherwise));
                }
                "range" => nodes.push(self.range(tail)?),
                "define" | "template" | "block" | "break" | "continue" => {
                    return Err(format!("{{{{{word}}}}} is not supported"));
                }
                _ if action.starts_with("/*") => {}
                _ => nodes.push(Node::Print(whole_pipe(&action)?)),
            }
        }
    }

    fn branches(&mut self, condition: &str) -> Result<Node, String> {
        let mut branches = Vec::new();
        let mut condition = Some(whole_pipe(condition)?);
        loop {
            let (body, end) = self.list()?;
            branches.push((condition.take(), body));
            match end {
                Stop::End => return Ok(Node::If(branches)),
                Stop::Eof => return Err("{{if}} without {{end}}".into()),
                Stop::Else(tail) => match split_word(&tail) {
                    ("", _) => {}
                    ("if", rest) => condition = Some(whole_pipe(rest)?),
                    _ => return Err(format!("cannot read {{{{else {tail}}}}}")),
                },
            }
        }
    }

    fn range(&mut self, tail: &str) -> Result<Node, String> {
        let (names, tail) = match tail.split_once(":=") {
            Some((names, rest)) if names.trim_start().starts_with('$') => (
                names
                    .split(',')
                    .map(|name| name.trim().to_owned())
                    .collect(),
                rest,
            ),
            _ => (Vec::new(), tail),
        };
        let pipe = whole_pipe(tail)?;
        let (body, otherwise) = self.body_and_else("range")?;
        Ok(Node::Range {
            names,
            pipe,
            body,
            otherwise,
        })
    }

    fn body_and_else(&mut self, word: &str) -> Result<(Vec<Node>, Vec<Node>), String> {
        let (body, end) = self.list()?;
        match end {
            Stop::End => Ok((body, Vec::new())),
            Stop::Eof => Err(format!("{{{{{word}}}}} without {{{{end}}}}")),
            Stop::Else(_) => {
                let (otherwise, end) = self.list()?;
                match end {
                    Stop::End => Ok((body, otherwise)),
                    _ => Err(format!("{{{{{word}}}}} without {{{{end}}}}")),
                }
            }
        }
    }

    /// The text up to the next action, and the action without its braces.
    fn next_action(&mut self) -> Result<(String, Option<String>), String> {
        let Some(open) = self.rest.find("{{") else {
            let text = self.trimmed(self.rest);
            self.rest = "";
            return Ok((text, None));
        };
        let mut text = self.trimmed(&self.rest[..open]);
        let inside = &self.rest[open + 2..];
        let close = end_of_action(inside).ok_or("unclosed action: {{ without }}")?;
        let mut action = &inside[..close];
        self.rest = &inside[close + 2..];
        if let Some(tail) = action
            .strip_prefix('-')
            .filter(|t| t.starts_with(char::is_whitespace))
        {
            text.truncate(text.trim_end().len());
            action = tail;
        }
        self.trim_next = false;
        if let Some(head) = action
            .strip_suffix('-')
            .filter(|h| h.ends_with(char::is_whitespace))
        {
            self.trim_next = true;
            action = head;
        }
        Ok((text, Some(action.trim().to_owned())))
    }

    fn trimmed(&self, text: &str) -> String {
        if self.trim_next {
            text.trim_start().to_owned()
        } else {
            text.to_owned()
        }
    }
}

/// Where `}}` is, outside of quotes.
fn end_of_action(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '`') => quote = Some(c),
            (None, '}') if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn whole_pipe(text: &str) -> Result<Pipe, String> {
    let tokens = tokens(text)?;
    let mut cursor = Cursor {
        tokens: &tokens,
        at: 0,
    };
    let pipe = cursor.pipe()?;
    if cursor.at < tokens.len() {
        return Err(format!(
            "unexpected {:?} in {{{{{text}}}}}",
            tokens[cursor.at].shown()
        ));
    }
    Ok(pipe)
}

#[derive(Debug, PartialEq)]
enum Token {
    Bar,
    Open,
    Close,
    Define,
    Text(String),
    Int(i64),
    /// An identifier, `.`, `.A.B`, `$x.A`, or (glued after a parenthesis) a path.
    Word(String),
    Glued(String),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Bar => "|".into(),
            Self::Open => "(".into(),
            Self::Close => ")".into(),
            Self::Define => ":=".into(),
            Self::Text(text) | Self::Word(text) | Self::Glued(text) => text.clone(),
            Self::Int(n) => n.to_string(),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    let mut glued = false;
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '|' => push(&mut out, Token::Bar, 1),
            '(' => push(&mut out, Token::Open, 1),
            ')' => push(&mut out, Token::Close, 1),
            ':' if rest.starts_with(":=") => push(&mut out, Token::Define, 2),
            '=' if rest.starts_with("= ") => return Err("assignment is not supported".into()),
            '"' => quoted(rest, &mut out)?,
            '`' => {
                let end = rest[1..].find('`').ok_or("unterminated raw string")?;
                push(&mut out, Token::Text(rest[1..=end].to_owned()), end + 2)
            }
            '0'..='9' | '-' => {
                let end = word_end(&rest[1..]) + 1;
                let number = rest[..end]
                    .parse()
                    .map_err(|_| format!("bad number {}", &rest[..end]))?;
                push(&mut out, Token::Int(number), end)
            }
            c if c == '.' || c == '$' || c == '_' || c.is_alphabetic() => {
                let end = c.len_utf8() + word_end(&rest[c.len_utf8()..]);
                let word = rest[..end].to_owned();
                let glue = glued && c == '.' && out.last() == Some(&Token::Close);
                push(
                    &mut out,
                    if glue {
                        Token::Glued(word)
                    } else {
                        Token::Word(word)
                    },
                    end,
                )
            }
            c => return Err(format!("unexpected {c:?} in {{{{{text}}}}}")),
        };
        let tail = &rest[len..];
        rest = tail.trim_start();
        glued = rest.len() == tail.len();
    }
    Ok(out)
}

fn push(out: &mut Vec<Token>, token: Token, len: usize) -> usize {
    out.push(token);
    len
}

fn word_end(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
        .unwrap_or(text.len())
}

fn quoted(rest: &str, out: &mut Vec<Token>) -> Result<usize, String> {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
            value.push(match c {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '"' | '\\' | '\'' => c,
                other => return Err(format!("unknown escape \\{other}")),
            });
        } else if c == '\\' {
            escaped = true;
        } else if c == '"' {
            return Ok(push(out, Token::Text(value), at + 1));
        } else {
            value.push(c);
        }
    }
    Err("unterminated string".into())
}

struct Cursor<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Cursor<'_> {
    fn pipe(&mut self) -> Result<Pipe, String> {
        let mut set = None;
        if let [Token::Word(name), Token::Define, ..] = &self.tokens[self.at..]
            && name.starts_with('$')
        {
            set = Some(name.clone());
            self.at += 2;
        }
        let mut commands = vec![self.command()?];
        while self.tokens.get(self.at) == Some(&Token::Bar) {
            self.at += 1;
            commands.push(self.command()?);
        }
        Ok(Pipe { set, commands })
    }

    fn command(&mut self) -> Result<Command, String> {
        let mut operands = Vec::new();
        while let Some(token) = self.tokens.get(self.at) {
            let operand = match token {
                Token::Bar | Token::Close | Token::Define => break,
                Token::Text(text) => Operand::Text(text.clone()),
                Token::Int(n) => Operand::Int(*n),
                Token::Word(word) | Token::Glued(word) => operand(word)?,
                Token::Open => {
                    self.at += 1;
                    let inner = self.pipe()?;
                    if self.tokens.get(self.at) != Some(&Token::Close) {
                        return Err("( without )".into());
                    }
                    let mut fields = Vec::new();
                    if let Some(Token::Glued(path)) = self.tokens.get(self.at + 1) {
                        fields = path_fields(path);
                        self.at += 1;
                    }
                    Operand::Path(Base::Group(Box::new(inner)), fields)
                }
            };
            operands.push(operand);
            self.at += 1;
        }
        if operands.is_empty() {
            Err("missing value for command".into())
        } else {
            Ok(Command(operands))
        }
    }
}

fn operand(word: &str) -> Result<Operand, String> {
    Ok(match word {
        "true" => Operand::Bool(true),
        "false" => Operand::Bool(false),
        "nil" => Operand::Nil,
        _ if word.starts_with('.') => Operand::Path(Base::Dot, path_fields(word)),
        _ if word.starts_with('$') => {
            let (name, path) = word.split_at(word.find('.').unwrap_or(word.len()));
            Operand::Path(Base::Variable(name.to_owned()), path_fields(path))
        }
        _ if super::call::is_known(word) => Operand::Function(word.to_owned()),
        _ => return Err(format!("function \"{word}\" not defined")),
    })
}

fn path_fields(path: &str) -> Vec<String> {
    path.split('.')
        .filter(|field| !field.is_empty())
        .map(str::to_owned)
        .collect()
}
