//! JSON text, indented without being decoded, so that every field keeps its place and spelling.

/// Indents valid JSON by `step` spaces a level.
pub(crate) fn indent(text: &str, step: usize) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => copy_string(&mut chars, &mut out),
            '{' | '[' => {
                out.push(c);
                skip_space(&mut chars);
                if let Some(close) = chars.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(&mut out, depth * step);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth * step);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth * step);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// Compact JSON, with what a terminal would obey written as escapes.
pub(crate) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

fn new_line(out: &mut String, spaces: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', spaces));
}

fn skip_space(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while chars.next_if(char::is_ascii_whitespace).is_some() {}
}

/// Copies the rest of a string; what a terminal would obey is written as an escape, which changes nothing for a
/// reader of the JSON.
fn copy_string(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    out.push('"');
    let mut escaped = false;
    for c in chars.by_ref() {
        if c.is_control() {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indents_and_keeps_the_order() {
        let text = indent(r#"[{"b":1,"a":{ },"s":"x: [\"y\", {","e":[]}]"#, 4);
        let expected = "[\n    {\n        \"b\": 1,\n        \"a\": {},\n        \"s\": \"x: [\\\"y\\\", {\",\n        \"e\": []\n    }\n]";
        assert_eq!(text, expected);
    }

    #[test]
    fn control_characters_become_escapes() {
        assert_eq!(indent("\"a\u{9b}\u{7f}\"", 2), "\"a\\u009b\\u007f\"");
    }
}
