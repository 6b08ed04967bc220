//! Lists of things as tables, JSON lines or a user's template.

use super::{escape, table, template::Template};
use crate::error::{Error, Result};
use serde_json::{Map, Value};

/// One row of a list: named texts, made when asked for.
pub(crate) trait View {
    /// Every field and its column's title.
    const FIELDS: &'static [(&'static str, &'static str)];

    /// The text of one of [`Self::FIELDS`].
    fn text(&self, field: &str) -> String;

    /// Tables that templates may ask by key (`{{.Label "key"}}`), not part of `--format json`.
    fn lookups(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

/// How a list is wanted.
#[derive(Debug)]
pub(crate) enum Format {
    /// The command's own columns.
    Table,
    /// `table TEMPLATE`
    Columns(Template),
    /// One object a line.
    Json,
    /// A template for each row.
    Template(Template),
}

impl Format {
    /// Parses the value of `--format`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "" | "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            _ => match text.strip_prefix("table ") {
                Some(columns) => Ok(Self::Columns(template(columns.trim_start())?)),
                None => Ok(Self::Template(template(text)?)),
            },
        }
    }
}

/// Parses a user's template; `\t` and `\n` may be written out, as shells pass them.
pub(crate) fn template(text: &str) -> Result<Template> {
    let text = text.replace("\\t", "\t").replace("\\n", "\n");
    Template::parse(&text).map_err(|why| Error::usage(format!("template parsing error: {why}")))
}

/// Renders `rows`; `columns` are the fields of the command's own table.
pub(crate) fn list<V: View>(rows: &[V], format: &Format, columns: &[&str]) -> Result<String> {
    match format {
        Format::Table => {
            let mut cells = vec![columns.iter().map(|field| title::<V>(field)).collect()];
            cells.extend(rows.iter().map(|row| {
                columns
                    .iter()
                    .map(|field| escape::cell(&row.text(field)).into_owned())
                    .collect()
            }));
            Ok(table::render(&cells))
        }
        Format::Columns(template) => {
            let mut text = template.header(title::<V>);
            text.push('\n');
            for row in rows {
                text.push_str(&render(template, row)?);
            }
            Ok(table::render_text(&text))
        }
        Format::Json => Ok(rows
            .iter()
            .map(|row| format!("{}\n", Value::Object(fields(row))))
            .collect()),
        Format::Template(template) => rows.iter().map(|row| render(template, row)).collect(),
    }
}

fn render<V: View>(template: &Template, row: &V) -> Result<String> {
    let mut fields = fields(row);
    for (name, value) in row.lookups() {
        fields.insert(name.to_owned(), value);
    }
    let text = template.render(&Value::Object(fields));
    text.map(|text| text + "\n")
        .map_err(|why| Error::usage(format!("template: {why}")))
}

fn fields<V: View>(row: &V) -> Map<String, Value> {
    V::FIELDS
        .iter()
        .map(|(field, _)| ((*field).to_owned(), Value::String(row.text(field))))
        .collect()
}

fn title<V: View>(field: &str) -> String {
    let known = V::FIELDS.iter().find(|(name, _)| *name == field);
    known.map_or_else(|| field.to_uppercase(), |(_, title)| (*title).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(&'static str);

    impl View for Row {
        const FIELDS: &'static [(&'static str, &'static str)] =
            &[("ID", "CONTAINER ID"), ("Names", "NAMES")];

        fn text(&self, field: &str) -> String {
            match field {
                "ID" => self.0.to_owned(),
                _ => "n\x1b".to_owned(),
            }
        }

        fn lookups(&self) -> Vec<(&'static str, Value)> {
            vec![("Label", serde_json::json!({"a": "b"}))]
        }
    }

    #[track_caller]
    fn check(format: &str, expected: &str) {
        let format = Format::parse(format).unwrap();
        assert_eq!(
            list(&[Row("1"), Row("2")], &format, &["ID", "Names"]).unwrap(),
            expected
        );
    }

    #[test]
    fn formats() {
        check(
            "",
            "CONTAINER ID   NAMES\n1              n\\x1b\n2              n\\x1b\n",
        );
        check(
            "table {{.Names}}\\t{{.ID}}",
            "NAMES     CONTAINER ID\nn\\x1b     1\nn\\x1b     2\n",
        );
        check("{{.ID}} {{.Label \"a\"}}", "1 b\n2 b\n");
        check(
            "json",
            "{\"ID\":\"1\",\"Names\":\"n\\u001b\"}\n{\"ID\":\"2\",\"Names\":\"n\\u001b\"}\n",
        );
        assert!(Format::parse("{{.ID").is_err());
    }
}
