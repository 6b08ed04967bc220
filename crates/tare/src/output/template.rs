//! The part of Go's text/template that people use in `--format`.
//!
//! Known: fields, variables, literals, pipelines, parentheses, `if`/`else`, `range`, `with`, trim markers and the
//! functions in [`call`]. What is not known is refused by name when the template is parsed.
//! Read `parse.rs` first, then `run.rs`.

mod call;
mod parse;
mod run;

use parse::Node;
use serde_json::Value;

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
}

impl Template {
    /// Parses `text`; the error names the part that is not understood.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Ok(Self {
            nodes: parse::template(text)?,
        })
    }

    /// Prints the template for `data`.
    pub(crate) fn render(&self, data: &Value) -> Result<String, String> {
        run::render(&self.nodes, data)
    }

    /// The fields that the template prints at its top level, in order: the columns of a `table` template.
    pub(crate) fn header(&self, title: impl Fn(&str) -> String) -> String {
        let mut out = String::new();
        for node in &self.nodes {
            match node {
                Node::Text(text) => out.push_str(text),
                other => {
                    if let Some(field) = other.first_field() {
                        out.push_str(&title(field));
                    }
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests;
