//! The messages that loading, importing and pulling stream: one JSON object a line.

use serde_json::value::RawValue;

object! {
    /// What went wrong.
    pub struct ErrorDetail {
        /// A code, if there is one.
        pub code: i64 = "code" omit,
        /// For people.
        pub message: String = "message",
    }
}

object! {
    /// How far it is.
    pub struct ProgressDetail {
        /// Done so far.
        pub current: i64 = "current" omit,
        /// In all.
        pub total: i64 = "total" omit,
        /// Of what, if not bytes.
        pub units: String = "units" omit,
        /// Hide the counts.
        pub hide_counts: bool = "hidecounts" omit,
    }
}

object! {
    /// One message.
    pub struct Message {
        /// Text to print as it is.
        pub stream: String = "stream" omit,
        /// What is happening, to print on a line of its own.
        pub status: String = "status" omit,
        /// How far it is.
        pub progress_detail: Option<ProgressDetail> = "progressDetail" omit,
        /// The same as a drawn bar.
        pub progress: String = "progress" omit,
        /// What it happens to.
        pub id: String = "id" omit,
        /// What went wrong, twice.
        pub error_detail: Option<ErrorDetail> = "errorDetail" omit,
        /// What went wrong.
        pub error: String = "error" omit,
        /// Data for tools.
        pub aux: Option<serde_json::Value> = "aux" omit,
    }
}

impl Message {
    /// Text to print as it is.
    #[must_use]
    pub fn stream(text: impl Into<String>) -> Self {
        Self {
            stream: text.into(),
            ..Self::default()
        }
    }

    /// A line of its own.
    #[must_use]
    pub fn status(text: impl Into<String>) -> Self {
        Self {
            status: text.into(),
            ..Self::default()
        }
    }

    /// The end, a bad one.
    #[must_use]
    pub fn error(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            error_detail: Some(ErrorDetail {
                code: 0,
                message: text.clone(),
            }),
            error: text,
            ..Self::default()
        }
    }

    /// Its line.
    #[must_use]
    pub fn line(&self) -> String {
        // Strings, numbers and JSON values always serialize.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push_str("\r\n");
        line
    }
}

/// Takes messages apart as bytes arrive.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
}

/// A message may not be longer than this.
const MAX: usize = 1 << 20;

impl Decoder {
    /// A decoder with nothing pending.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that arrived; gives the messages that are complete now.
    ///
    /// # Errors
    /// What arrived is no message.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Message>, crate::object::DecodeError> {
        self.pending.extend_from_slice(bytes);
        let mut values =
            serde_json::Deserializer::from_slice(&self.pending).into_iter::<&RawValue>();
        let mut messages = Vec::new();
        let mut used = 0;
        while let Some(Ok(value)) = values.next() {
            messages.push(crate::decode(value.get().as_bytes())?);
            used = values.byte_offset();
        }
        self.pending.drain(..used);
        let blank = self
            .pending
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        let not_json = self.pending.get(blank).is_some_and(|byte| *byte != b'{');
        if not_json || self.pending.len() > MAX {
            crate::decode::<Message>(&self.pending)?;
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests;
