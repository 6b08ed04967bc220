//! Content digests, and the ids that are digests.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;
use sha2::digest::common::hazmat::SerializableState as _;

use crate::error::{Error, Kind, Result, shown};

/// A registered hash algorithm (OCI image-spec, descriptor.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, which all tools use.
    Sha256,
    /// SHA-384, which go-digest knows too.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name before the colon.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The number of bytes of its hash.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Always false; beside [`Algorithm::len`] for completeness.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// A content digest, such as `sha256:9f86d0…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: [u8; 64],
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    #[must_use]
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self::from_sha256(sha2::Sha256::digest(bytes.as_ref()).into())
    }

    /// The digest whose SHA-256 hash is `hash`.
    #[must_use]
    pub fn from_sha256(hash: [u8; 32]) -> Self {
        Self::from_slice(Algorithm::Sha256, &hash)
    }

    fn from_slice(algorithm: Algorithm, hash: &[u8]) -> Self {
        let mut bytes = [0; 64];
        bytes[..hash.len()].copy_from_slice(hash);
        Self { algorithm, bytes }
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.len()]
    }

    /// The hash in lower-case hexadecimal digits: what follows the colon.
    #[must_use]
    pub fn hex(&self) -> String {
        to_hex(self.as_bytes())
    }

    /// A hasher that makes digests of the same algorithm.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        Hasher::new(self.algorithm)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::new(Kind::Digest, format!("{why}: {:?}", shown(text)));
        let (name, hex) = text
            .split_once(':')
            .ok_or_else(|| bad("invalid digest format"))?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha384" => Algorithm::Sha384,
            "sha512" => Algorithm::Sha512,
            _ => return Err(bad("unsupported digest algorithm")),
        };
        if hex.len() != algorithm.len() * 2 {
            return Err(bad("invalid digest length"));
        }
        let mut bytes = [0; 64];
        from_hex(hex, &mut bytes[..algorithm.len()]).ok_or_else(|| bad("invalid digest format"))?;
        Ok(Self { algorithm, bytes })
    }
}

/// A streaming hasher.
#[derive(Debug, Clone)]
pub struct Hasher(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// A hasher of nothing so far.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => Inner::Sha256(sha2::Sha256::new()),
            Algorithm::Sha384 => Inner::Sha384(sha2::Sha384::new()),
            Algorithm::Sha512 => Inner::Sha512(sha2::Sha512::new()),
        })
    }

    /// A SHA-256 hasher.
    #[must_use]
    pub fn sha256() -> Self {
        Self::new(Algorithm::Sha256)
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Sha256(h) => h.update(bytes),
            Inner::Sha384(h) => h.update(bytes),
            Inner::Sha512(h) => h.update(bytes),
        }
    }

    /// The digest of all bytes taken.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.0 {
            Inner::Sha256(h) => Digest::from_slice(Algorithm::Sha256, &h.finalize()),
            Inner::Sha384(h) => Digest::from_slice(Algorithm::Sha384, &h.finalize()),
            Inner::Sha512(h) => Digest::from_slice(Algorithm::Sha512, &h.finalize()),
        }
    }

    /// What is needed to go on elsewhere: see [`Hasher::restore`].
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        match &self.0 {
            Inner::Sha256(h) => h.serialize().to_vec(),
            Inner::Sha384(h) => h.serialize().to_vec(),
            Inner::Sha512(h) => h.serialize().to_vec(),
        }
    }

    /// The hasher that was saved, by the same version of this program; none if this is no such state.
    #[must_use]
    pub fn restore(algorithm: Algorithm, state: &[u8]) -> Option<Self> {
        fn one<T: sha2::digest::common::hazmat::SerializableState>(state: &[u8]) -> Option<T> {
            T::deserialize(state.try_into().ok()?).ok()
        }
        Some(Self(match algorithm {
            Algorithm::Sha256 => Inner::Sha256(one(state)?),
            Algorithm::Sha384 => Inner::Sha384(one(state)?),
            Algorithm::Sha512 => Inner::Sha512(one(state)?),
        }))
    }
}

macro_rules! digest_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Digest);

        impl $name {
            /// The same digest with this meaning; the caller says so.
            #[must_use]
            pub const fn new(digest: Digest) -> Self {
                Self(digest)
            }

            /// The digest without its meaning.
            #[must_use]
            pub const fn digest(&self) -> &Digest {
                &self.0
            }

            /// The hash in hexadecimal digits.
            #[must_use]
            pub fn hex(&self) -> String {
                self.0.hex()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                text.parse().map(Self)
            }
        }
    };
}

digest_id! {
    /// Of the bytes on the wire, perhaps compressed: names a blob.
    BlobDigest
}
digest_id! {
    /// Of the uncompressed tar of a layer.
    DiffId
}
digest_id! {
    /// Of a layer together with all layers below it (OCI image-spec, config.md, "Layer ChainID").
    ChainId
}
digest_id! {
    /// Of an image's configuration: names the image.
    ImageId
}

impl ChainId {
    /// The chain id of a layer without layers below it.
    #[must_use]
    pub const fn bottom(diff: &DiffId) -> Self {
        Self(diff.0)
    }

    /// The chain id of `diff` above the chain `self`.
    #[must_use]
    pub fn with(&self, diff: &DiffId) -> Self {
        Self(Digest::of(format!("{self} {diff}")))
    }

    /// The chain id of the layers `diffs`, bottom first; none without a layer.
    #[must_use]
    pub fn of(diffs: &[DiffId]) -> Option<Self> {
        let (first, rest) = diffs.split_first()?;
        Some(
            rest.iter()
                .fold(Self::bottom(first), |chain, diff| chain.with(diff)),
        )
    }
}

/// Names a layer in the store: 64 hexadecimal digits. They are the layer's diff id when the layer is a function of its
/// tar alone, else its chain id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerId([u8; 32]);

impl LayerId {
    /// The id of a layer that is a function of its tar. None for other algorithms than SHA-256, which the store does not make.
    #[must_use]
    pub fn from_diff(diff: &DiffId) -> Option<Self> {
        Self::from_digest(diff.digest())
    }

    /// The id of a layer that depends on the layers below it.
    #[must_use]
    pub fn from_chain(chain: &ChainId) -> Option<Self> {
        Self::from_digest(chain.digest())
    }

    fn from_digest(digest: &Digest) -> Option<Self> {
        digest.as_bytes().try_into().ok().map(Self)
    }
}

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LayerId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0; 32];
        match from_hex(text, &mut bytes) {
            Some(()) => Ok(Self(bytes)),
            None => Err(Error::new(
                Kind::Digest,
                format!("invalid layer id: {:?}", shown(text)),
            )),
        }
    }
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Fills `out` from lower-case hexadecimal digits; none if there are others, more or fewer.
pub(crate) fn from_hex(text: &str, out: &mut [u8]) -> Option<()> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != out.len() * 2 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

macro_rules! serde_as_text {
    ($($name:ident),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use serde_as_text;

serde_as_text!(Digest, LayerId);
