//! AWS Signature Version 4.

use bytes::Bytes;
use http::HeaderMap;
use ring::hmac;
use spec::Digest;

/// The right to use a bucket.
#[derive(Clone)]
pub struct Keys {
    /// Its name.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// A session's token, if it is of one.
    pub token: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What is signed.
pub(super) struct ToSign<'a> {
    pub(super) method: &'a str,
    pub(super) authority: &'a str,
    /// Not yet encoded.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, String)],
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
    /// Unix seconds.
    pub(super) at: i64,
}

/// What goes with the request.
pub(super) struct Signed {
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

pub(super) fn sign(to_sign: &ToSign<'_>, keys: Option<&Keys>, region: &str) -> Signed {
    let path = encode(to_sign.path, "/");
    let mut query: Vec<String> = to_sign
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, ""), encode(value, "")))
        .collect();
    query.sort_unstable();
    let query = query.join("&");
    let target = match query.is_empty() {
        true => path.clone(),
        false => format!("{path}?{query}"),
    };
    let Some(keys) = keys else {
        return Signed {
            target,
            headers: Vec::new(),
        };
    };
    let time = jiff::Timestamp::from_second(to_sign.at).unwrap_or_default();
    let time = time.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &time[..8];
    let hash = Digest::of(to_sign.body).hex();
    let mut own = vec![
        ("x-amz-content-sha256", hash.clone()),
        ("x-amz-date", time.clone()),
    ];
    own.extend(
        keys.token
            .clone()
            .map(|token| ("x-amz-security-token", token)),
    );
    let mut lines: Vec<(&str, &str)> = vec![("host", to_sign.authority)];
    lines.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
    let others = to_sign.headers.iter();
    lines.extend(
        others.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?.trim()))),
    );
    lines.sort_unstable();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = lines
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let canonical = format!(
        "{}\n{path}\n{query}\n{lines}\n{names}\n{hash}",
        to_sign.method
    );
    let scope = format!("{day}/{region}/s3/aws4_request");
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        Digest::of(canonical).hex()
    );
    let mut key = format!("AWS4{}", keys.secret).into_bytes();
    for part in [day, region, "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    let signature: String = mac(&key, &text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let id = &keys.id;
    own.push((
        "authorization",
        format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        ),
    ));
    Signed {
        target,
        headers: own,
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn encode(text: &str, also: &str) -> String {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b) || also.as_bytes().contains(&b);
    let one = |b: u8| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of "Signature Calculations for the Authorization Header" in the S3 API reference.
    #[test]
    fn the_documented_examples() {
        let keys = Keys {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let authority = "examplebucket.s3.amazonaws.com";
        let at = 1_369_353_600;
        let mut range = HeaderMap::new();
        range.insert("range", "bytes=0-9".parse().unwrap());
        let none = HeaderMap::new();
        let list = [("max-keys", "2".to_owned()), ("prefix", "J".to_owned())];
        for (path, headers, query, expected) in [
            (
                "/test.txt",
                &range,
                &[][..],
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "/",
                &none,
                &list[..],
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let body = Bytes::new();
            let to_sign = ToSign {
                method: "GET",
                authority,
                path,
                query,
                headers,
                body: &body,
                at,
            };
            let signed = sign(&to_sign, Some(&keys), "us-east-1");
            let (_, found) = signed.headers.last().unwrap();
            assert!(found.ends_with(&format!("Signature={expected}")), "{found}");
        }
    }
}
