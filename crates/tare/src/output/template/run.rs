//! Nodes and data → text.

use super::call;
use super::parse::{Base, Command, Node, Operand, Pipe};
use crate::output::escape;
use serde_json::Value;

/// What nested ranges may print; a template is the user's own, but a typing error should end.
const MAX_OUTPUT: usize = 64 << 20;

struct Run<'a> {
    out: String,
    root: &'a Value,
    variables: Vec<(String, Value)>,
}

pub(super) fn render(nodes: &[Node], data: &Value) -> Result<String, String> {
    let mut run = Run {
        out: String::new(),
        root: data,
        variables: Vec::new(),
    };
    run.nodes(nodes, data)?;
    Ok(run.out)
}

impl Run<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<(), String> {
        let depth = self.variables.len();
        for node in nodes {
            self.node(node, dot)?;
            if self.out.len() > MAX_OUTPUT {
                return Err("output is too large".into());
            }
        }
        self.variables.truncate(depth);
        Ok(())
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<(), String> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Print(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if let Some(name) = &pipe.set {
                    self.variables.push((name.clone(), value));
                } else {
                    self.out.push_str(&escape::controls(&call::shown(&value)));
                }
            }
            Node::If(branches) => {
                for (condition, body) in branches {
                    let taken = match condition {
                        Some(pipe) => call::truth(&self.pipe(pipe, dot)?),
                        None => true,
                    };
                    if taken {
                        return self.nodes(body, dot);
                    }
                }
            }
            Node::With(pipe, body, otherwise) => {
                let value = self.pipe(pipe, dot)?;
                if call::truth(&value) {
                    self.nodes(body, &value)?;
                } else {
                    self.nodes(otherwise, dot)?;
                }
            }
            Node::Range {
                names,
                pipe,
                body,
                otherwise,
            } => {
                let items = call::items(&self.pipe(pipe, dot)?)?;
                if items.is_empty() {
                    return self.nodes(otherwise, dot);
                }
                for (key, item) in items {
                    self.round(names, key, &item, body)?;
                }
            }
        }
        Ok(())
    }

    fn round(
        &mut self,
        names: &[String],
        key: Value,
        item: &Value,
        body: &[Node],
    ) -> Result<(), String> {
        let depth = self.variables.len();
        match names {
            [] => {}
            [value] => self.variables.push((value.clone(), item.clone())),
            [index, value, ..] => {
                self.variables.push((index.clone(), key));
                self.variables.push((value.clone(), item.clone()));
            }
        }
        self.nodes(body, item)?;
        self.variables.truncate(depth);
        Ok(())
    }

    fn pipe(&self, pipe: &Pipe, dot: &Value) -> Result<Value, String> {
        let mut piped = None;
        for command in &pipe.commands {
            piped = Some(self.command(command, dot, piped)?);
        }
        piped.ok_or_else(|| "empty pipeline".to_owned())
    }

    fn command(
        &self,
        command: &Command,
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, String> {
        let [first, rest @ ..] = command.0.as_slice() else {
            return Err("empty command".into());
        };
        let mut arguments = rest
            .iter()
            .map(|operand| self.operand(operand, dot))
            .collect::<Result<Vec<_>, _>>()?;
        arguments.extend(piped);
        if let Operand::Function(name) = first {
            return call::function(name, &arguments);
        }
        let value = self.operand(first, dot)?;
        match arguments.as_slice() {
            [] => Ok(value),
            // A method with arguments, such as `.Label "name"`: a look-up in the table of that name.
            [key] if value.is_object() => Ok(call::look_up(&value, key)),
            _ => Err("can't give argument to non-function".into()),
        }
    }

    fn operand(&self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        match operand {
            Operand::Text(text) => Ok(Value::String(text.clone())),
            Operand::Int(n) => Ok(Value::from(*n)),
            Operand::Bool(b) => Ok(Value::Bool(*b)),
            Operand::Nil => Ok(Value::Null),
            Operand::Function(name) => call::function(name, &[]),
            Operand::Path(Base::Dot, fields) => fields_of(dot, fields),
            Operand::Path(Base::Variable(name), fields) => {
                if name == "$" {
                    return fields_of(self.root, fields);
                }
                let found = self.variables.iter().rev().find(|(n, _)| n == name);
                let (_, value) = found.ok_or_else(|| format!("undefined variable \"{name}\""))?;
                fields_of(value, fields)
            }
            Operand::Path(Base::Group(pipe), fields) => fields_of(&self.pipe(pipe, dot)?, fields),
        }
    }
}

fn fields_of(value: &Value, fields: &[String]) -> Result<Value, String> {
    let mut at = value;
    for field in fields {
        at = match at {
            Value::Object(map) => map.get(field).ok_or_else(|| missing(map, field))?,
            Value::Null => return Err(format!("nil data; no entry for key \"{field}\"")),
            _ => {
                return Err(format!(
                    "can't evaluate field {field} in a value without fields"
                ));
            }
        };
    }
    Ok(at.clone())
}

fn missing(map: &serde_json::Map<String, Value>, field: &str) -> String {
    let known: Vec<&str> = map.keys().map(String::as_str).collect();
    match known.iter().find(|name| name.eq_ignore_ascii_case(field)) {
        Some(near) => format!("no field \"{field}\"; did you mean \"{near}\"?"),
        None => format!("no field \"{field}\"; there are: {}", known.join(", ")),
    }
}
