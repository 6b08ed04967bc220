//! Answers in XML: lists and errors. Only the few elements that are needed are looked for, in order.

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Object {
    pub(in crate::server) key: String,
    pub(in crate::server) size: u64,
    /// Unix seconds.
    pub(in crate::server) modified: i64,
}

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::server) struct Listed {
    pub(in crate::server) objects: Vec<Object>,
    /// The words between the prefix and the next `/`.
    pub(in crate::server) folders: Vec<String>,
    /// Where it goes on, if it does.
    pub(in crate::server) next: Option<String>,
}

impl Listed {
    /// Reads a list; keys lose what all begin with.
    pub(super) fn parse(body: &[u8], own: &str, prefix: &str) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        text.contains("<ListBucketResult").then_some(())?;
        let prefix = format!("{own}{prefix}");
        let objects = elements(text, "Contents").map(|object| {
            let one = |name| elements(object, name).next();
            let modified: jiff::Timestamp = one("LastModified")?.parse().ok()?;
            Some(Object {
                key: undo(one("Key")?)?.strip_prefix(own)?.to_owned(),
                size: one("Size")?.parse().ok()?,
                modified: modified.as_second(),
            })
        });
        let folders = elements(text, "CommonPrefixes").map(|folder| {
            let whole = undo(elements(folder, "Prefix").next()?)?;
            let word = whole.strip_prefix(prefix.as_str())?;
            Some(word.strip_suffix('/')?.to_owned())
        });
        Some(Self {
            objects: objects.collect::<Option<_>>()?,
            folders: folders.collect::<Option<_>>()?,
            next: match elements(text, "NextContinuationToken").next() {
                Some(token) => Some(undo(token)?),
                None => None,
            },
        })
    }
}

/// The code of an error.
pub(super) fn code(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    elements(text, "Code").next().and_then(undo)
}

/// What is in the elements of this name.
fn elements<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(&open)? + open.len();
        let end = start + rest[start..].find(&close)?;
        let inner = &rest[start..end];
        rest = &rest[end + close.len()..];
        Some(inner)
    })
}

/// Undoes the references of XML.
fn undo(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let end = at + rest[at..].find(';')?;
        let name = &rest[at + 1..end];
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            name => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list() {
        let text = r#"<?xml version="1.0"?><ListBucketResult xmlns="x"><Name>b</Name><Prefix>own/n/</Prefix><NextContinuationToken>t=</NextContinuationToken>
            <Contents><Key>own/n/a&amp;b</Key><LastModified>2026-11-24T10:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>5</Size></Contents>
            <CommonPrefixes><Prefix>own/n/x+y/</Prefix></CommonPrefixes></ListBucketResult>"#;
        let listed = Listed::parse(text.as_bytes(), "own/", "n/").unwrap();
        assert_eq!(listed.objects[0].key, "n/a&b");
        assert_eq!(
            (listed.objects[0].size, listed.next.as_deref()),
            (5, Some("t="))
        );
        assert_eq!(listed.folders, ["x+y"]);
        assert!(Listed::parse(b"<html>", "", "").is_none());
        assert_eq!(
            code(b"<Error><Code>NoSuchKey</Code></Error>").as_deref(),
            Some("NoSuchKey")
        );
    }
}
