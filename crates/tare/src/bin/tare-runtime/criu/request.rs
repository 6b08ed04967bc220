//! What is asked of CRIU, and its answers.

use super::message::{Value, fields};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Write the processes, and end them unless they are to go on.
    Dump,
    /// Make them again.
    Restore,
    /// Write their memory, for a dump to come.
    PreDump,
    /// A notice was heard.
    Notify,
}

impl Kind {
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Dump => 1,
            Self::Restore => 2,
            Self::PreDump => 4,
            Self::Notify => 6,
        }
    }
}

/// An answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(super) success: bool,
    /// The restored first process.
    pub(crate) pid: Option<i32>,
    pub(super) notice: Option<Notice>,
    errno: u64,
    text: String,
}

/// Something that happens meanwhile.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Its name: `post-restore`.
    pub(crate) script: String,
    /// The first process, where it is known.
    pub(crate) pid: Option<i32>,
}

impl Response {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut response = Self::default();
        for (field, value) in fields(bytes)? {
            match (field, value) {
                (2, Value::Number(success)) => response.success = success != 0,
                (4, Value::Bytes(restore)) => response.pid = pid(restore, 1)?,
                (5, Value::Bytes(notice)) => {
                    response.notice = Some(Notice {
                        script: text(notice, 1)?,
                        pid: pid(notice, 2)?,
                    });
                }
                (7, Value::Number(errno)) => response.errno = errno,
                (9, Value::Bytes(text)) => {
                    response.text = String::from_utf8_lossy(text).into_owned();
                }
                _ => {}
            }
        }
        Some(response)
    }

    pub(super) fn complaint(&self) -> String {
        match (self.text.as_str(), self.errno) {
            ("", 0) => "criu failed".to_owned(),
            ("", errno) => format!("criu failed with errno {errno}"),
            (text, _) => format!("criu failed: {text}"),
        }
    }
}

/// The pid in field `wanted`; outside `None` if the message is none.
#[expect(
    clippy::option_option,
    reason = "a message that is none, and a field that isn't there"
)]
fn pid(bytes: &[u8], wanted: u64) -> Option<Option<i32>> {
    let pid = fields(bytes)?
        .into_iter()
        .find_map(|(field, value)| match value {
            Value::Number(number) if field == wanted => i32::try_from(number).ok(),
            _ => None,
        });
    Some(pid)
}

fn text(bytes: &[u8], wanted: u64) -> Option<String> {
    fields(bytes)?
        .into_iter()
        .find_map(|(field, value)| match value {
            Value::Bytes(text) if field == wanted => {
                Some(String::from_utf8_lossy(text).into_owned())
            }
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::super::message::Message;
    use super::*;

    #[test]
    fn answers_are_read() {
        let mut notify = Message::default();
        notify.text(1, "post-restore");
        notify.number(2, 77);
        let mut answer = Message::default();
        answer.number(1, 6);
        answer.flag(2, true);
        answer.message(5, notify);
        let response = Response::read(&answer.into_bytes()).unwrap();
        assert!(response.success);
        let notice = response.notice.unwrap();
        assert_eq!(
            (notice.script.as_str(), notice.pid),
            ("post-restore", Some(77))
        );

        let mut refusal = Message::default();
        refusal.flag(2, false);
        refusal.number(7, 2);
        let response = Response::read(&refusal.into_bytes()).unwrap();
        assert_eq!(response.complaint(), "criu failed with errno 2");
        assert_eq!(Response::read(&[0x80]), None);
    }
}
