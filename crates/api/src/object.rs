//! Declaring JSON objects that are as forgiving as the Go programs which speak this API expect.
//!
//! - Decoding: keys match in any case, `null` is the same as absent, absent is the default, unknown keys are ignored.
//! - Encoding: every key is written, in the declared order, unless it is declared `omit` and has its default. Go clients and
//!   docker-py index fields without asking whether they are there.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Data for people and tools.
pub type Labels = BTreeMap<String, String>;

/// A JSON object with no keys: the value of Go's sets (`{"80/tcp": {}}`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Empty;

impl Serialize for Empty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_map(Some(0))?.end()
    }
}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Why a body could not be decoded; the text is for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(String);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeError {}

/// Decodes a request's or response's body, which must be one JSON value.
///
/// # Errors
/// It is no JSON, nested more than 128 deep, or does not have the expected shape.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(body).map_err(|error| {
        DecodeError(if body.iter().all(u8::is_ascii_whitespace) {
            "invalid JSON: got EOF while reading request body".to_owned()
        } else if error.to_string().starts_with("trailing characters") {
            "unexpected content after JSON".to_owned()
        } else {
            format!("invalid JSON: {error}")
        })
    })
}

/// What `object!` makes of a struct; used directly only where Go embeds one struct in another.
pub trait Object: Default {
    /// Reads the value of a key into its field; false if there is no such field (the value is then still to be read).
    ///
    /// # Errors
    /// The value does not have the field's type.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error>;

    /// Writes all fields.
    ///
    /// # Errors
    /// The serializer's.
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}

/// Deserializes an [`Object`].
///
/// # Errors
/// It is neither an object nor null, or a value has the wrong type.
pub fn deserialize<'de, T: Object, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Fields<T>(std::marker::PhantomData<T>);

    impl<'de, T: Object> Visitor<'de> for Fields<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
            let mut object = T::default();
            while let Some(key) = map.next_key::<String>()? {
                if !object.read(&key, &mut map)? {
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
            }
            Ok(object)
        }
    }

    deserializer.deserialize_any(Fields(std::marker::PhantomData))
}

/// Serializes an [`Object`].
///
/// # Errors
/// The serializer's.
pub fn serialize<T: Object, S: Serializer>(object: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    object.write(&mut map)?;
    map.end()
}

/// Whether a value is its type's default, and so need not be written.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Declares a wire type: `pub field: Type = "Key"`, with `omit` after the key where the default is not written.
macro_rules! object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* pub $field:ident: $type:ty = $key:literal $($omit:ident)?, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        impl $crate::object::Object for $name {
            fn read<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                key: &str,
                map: &mut A,
            ) -> Result<bool, A::Error> {
                $(
                    if key.eq_ignore_ascii_case($key) {
                        if let Some(value) = map.next_value::<Option<$type>>()? {
                            self.$field = value;
                        }
                        return Ok(true);
                    }
                )*
                Ok(false)
            }

            fn write<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                $(
                    if !(false $(|| object!(@$omit self.$field))?) {
                        map.serialize_entry($key, &self.$field)?;
                    }
                )*
                Ok(())
            }
        }

        object!(@serde $name);
    };
    (@omit $value:expr) => { $crate::object::is_default(&$value) };
    (@serde $name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::object::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::object::deserialize(deserializer)
            }
        }
    };
}

#[cfg(test)]
mod tests;
