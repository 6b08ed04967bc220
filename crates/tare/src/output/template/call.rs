//! The functions of templates, and how values count and print.

use serde_json::Value;

const KNOWN: &[&str] = &[
    "json", "print", "println", "printf", "join", "split", "lower", "upper", "title", "pad",
    "truncate", "len", "index", "slice", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not",
];

pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

pub(super) fn function(name: &str, args: &[Value]) -> Result<Value, String> {
    Ok(match (name, args) {
        ("json", [value]) => Value::String(value.to_string()),
        ("print", values) => Value::String(values.iter().map(shown).collect()),
        ("println", values) => {
            let words: Vec<String> = values.iter().map(shown).collect();
            Value::String(words.join(" ") + "\n")
        }
        ("printf", [Value::String(format), values @ ..]) => Value::String(printf(format, values)?),
        ("join", [list, Value::String(separator)]) => {
            let words: Vec<String> = items(list)?.iter().map(|(_, item)| shown(item)).collect();
            Value::String(words.join(separator))
        }
        ("split", [Value::String(text), Value::String(separator)]) => {
            text.split(separator.as_str()).map(Value::from).collect()
        }
        ("lower", [value]) => Value::String(shown(value).to_lowercase()),
        ("upper", [value]) => Value::String(shown(value).to_uppercase()),
        ("title", [value]) => Value::String(title(&shown(value))),
        ("pad", [Value::String(text), before, after]) => {
            if text.is_empty() {
                return Ok(Value::String(String::new()));
            }
            Value::String(format!(
                "{}{text}{}",
                " ".repeat(count(before)?),
                " ".repeat(count(after)?)
            ))
        }
        ("truncate", [value, length]) => {
            Value::String(shown(value).chars().take(count(length)?).collect())
        }
        ("len", [value]) => Value::from(length(value)?),
        ("index", [value, keys @ ..]) => keys
            .iter()
            .fold(value.clone(), |inner, key| look_up(&inner, key)),
        ("slice", [value, bounds @ ..]) => slice(value, bounds)?,
        ("eq", [first, others @ ..]) => Value::Bool(others.iter().any(|other| other == first)),
        ("ne", [a, b]) => Value::Bool(a != b),
        ("lt" | "le" | "gt" | "ge", [a, b]) => Value::Bool(compare(name, a, b)?),
        ("and", [.., last]) => args.iter().find(|arg| !truth(arg)).unwrap_or(last).clone(),
        ("or", [.., last]) => args.iter().find(|arg| truth(arg)).unwrap_or(last).clone(),
        ("not", [value]) => Value::Bool(!truth(value)),
        _ => return Err(format!("wrong arguments for function \"{name}\"")),
    })
}

/// How Go prints the value.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".into(),
        Value::String(text) => text.clone(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::Array(items) => {
            let words: Vec<String> = items.iter().map(inner_shown).collect();
            format!("[{}]", words.join(" "))
        }
        Value::Object(map) => {
            let words: Vec<String> = map
                .iter()
                .map(|(key, item)| format!("{key}:{}", inner_shown(item)))
                .collect();
            format!("map[{}]", words.join(" "))
        }
    }
}

fn inner_shown(value: &Value) -> String {
    if value.is_null() {
        "<nil>".into()
    } else {
        shown(value)
    }
}

pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// The keys and values that `range` walks.
pub(super) fn items(value: &Value) -> Result<Vec<(Value, Value)>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => Ok(items
            .iter()
            .enumerate()
            .map(|(i, item)| (Value::from(i), item.clone()))
            .collect()),
        Value::Object(map) => Ok(map
            .iter()
            .map(|(key, item)| (Value::from(key.as_str()), item.clone()))
            .collect()),
        other => Err(format!("range can't iterate over {}", shown(other))),
    }
}

/// An element by key or position; null if there is none.
pub(super) fn look_up(value: &Value, key: &Value) -> Value {
    let found = match (value, key) {
        (Value::Object(map), Value::String(name)) => map.get(name),
        (Value::Array(items), Value::Number(n)) => n
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .and_then(|n| items.get(n)),
        _ => None,
    };
    found.cloned().unwrap_or_else(|| {
        if value.is_object() {
            Value::String(String::new())
        } else {
            Value::Null
        }
    })
}

fn length(value: &Value) -> Result<usize, String> {
    match value {
        Value::Null => Ok(0),
        Value::String(text) => Ok(text.len()),
        Value::Array(items) => Ok(items.len()),
        Value::Object(map) => Ok(map.len()),
        other => Err(format!("len of {}", shown(other))),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let from = bounds.first().map_or(Ok(0), count)?;
    match value {
        Value::String(text) => {
            let to = bounds.get(1).map_or(Ok(text.len()), count)?;
            text.get(from..to)
                .map(Value::from)
                .ok_or_else(|| "slice out of range".into())
        }
        Value::Array(items) => {
            let to = bounds.get(1).map_or(Ok(items.len()), count)?;
            items
                .get(from..to)
                .map(Value::from)
                .ok_or_else(|| "slice out of range".into())
        }
        other => Err(format!("slice of {}", shown(other))),
    }
}

fn compare(name: &str, a: &Value, b: &Value) -> Result<bool, String> {
    let order = match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    };
    let order = order.ok_or_else(|| format!("{name}: incompatible types for comparison"))?;
    Ok(match name {
        "lt" => order.is_lt(),
        "le" => order.is_le(),
        "gt" => order.is_gt(),
        _ => order.is_ge(),
    })
}

fn count(value: &Value) -> Result<usize, String> {
    let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
    number
        .filter(|n| *n <= 1 << 20)
        .ok_or_else(|| format!("{} is not a count", shown(value)))
}

fn title(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some(verb @ ('s' | 'd' | 'v' | 'q' | 't')) => {
                let value = values
                    .next()
                    .ok_or_else(|| format!("printf: no value for %{verb}"))?;
                match verb {
                    'q' => out.push_str(&format!("{:?}", shown(value))),
                    _ => out.push_str(&shown(value)),
                }
            }
            other => {
                let verb = other.map(String::from).unwrap_or_default();
                return Err(format!("printf: %{verb} is not supported"));
            }
        }
    }
    Ok(out)
}
