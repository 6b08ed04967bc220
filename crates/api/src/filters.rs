//! The `filters` parameter: terms by key, in both of its JSON forms.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What to list: for each key the values of which one must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, Vec<String>>);

/// `{"name":{"x":true}}`, which Docker's own clients send, or `{"name":["x"]}`, which docker-py and people send.
#[derive(Deserialize)]
#[serde(untagged)]
enum Terms {
    Map(BTreeMap<String, bool>),
    List(Vec<String>),
}

impl Filters {
    /// Decodes the parameter's value. Empty is no filter.
    ///
    /// # Errors
    /// It has neither of the two forms.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let terms: Option<BTreeMap<String, Terms>> =
            serde_json::from_str(text).map_err(|_| "invalid filter".to_owned())?;
        let values = |terms| match terms {
            Terms::Map(map) => map
                .into_iter()
                .filter(|(_, wanted)| *wanted)
                .map(|(value, _)| value)
                .collect(),
            Terms::List(list) => list,
        };
        let terms = terms.unwrap_or_default().into_iter();
        Ok(Self(
            terms.map(|(key, terms)| (key, values(terms))).collect(),
        ))
    }

    /// The parameter's value, in the form that all servers understand; empty if there is no filter.
    #[must_use]
    pub fn encode(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let object = |values: &Vec<String>| {
            let terms = values
                .iter()
                .map(|value| (value.clone(), serde_json::Value::Bool(true)));
            serde_json::Value::Object(terms.collect())
        };
        let object: serde_json::Map<_, _> = self
            .0
            .iter()
            .map(|(key, values)| (key.clone(), object(values)))
            .collect();
        serde_json::Value::Object(object).to_string()
    }

    /// Adds a term.
    pub fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.entry(key.into()).or_default().push(value.into());
    }

    /// Whether nothing is filtered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }

    /// The values of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// Refuses keys other than these.
    ///
    /// # Errors
    /// There is another.
    pub fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("invalid filter '{key}'")),
            None => Ok(()),
        }
    }

    /// A key whose value is true or false.
    ///
    /// # Errors
    /// It is something else, or both.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, String> {
        let values = self.get(key);
        let any = |wanted: [&str; 2]| values.iter().any(|value| wanted.contains(&value.as_str()));
        match (any(["1", "true"]), any(["0", "false"])) {
            _ if values.is_empty() => Ok(None),
            (true, false) => Ok(Some(true)),
            (false, true) => Ok(Some(false)),
            _ => Err(format!("invalid filter '{key}=[{}]'", values.join(" "))),
        }
    }
}

#[cfg(test)]
mod tests;
