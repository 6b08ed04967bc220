//! `RUN --mount=type=…`.

use crate::suggest;

/// What a RUN sees besides its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What kind.
    pub kind: MountKind,
    /// Where in the container; empty where the kind has a default.
    pub target: String,
}

/// The kinds, with what each needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// A directory or file of the context, a stage, an image or a named context.
    Bind {
        /// From where; none for the context.
        from: Option<String>,
        /// Path in it.
        source: String,
        /// Writes are possible, and thrown away.
        writable: Access,
    },
    /// A directory that stays from build to build.
    Cache {
        /// Which; none for the target's path.
        id: Option<String>,
        /// What it starts with: a stage, image or context.
        from: Option<String>,
        /// Path in that, or in the cache.
        source: String,
        /// Who may use it at the same time.
        sharing: Sharing,
        /// Writes are possible.
        writable: Access,
        /// Of a new one.
        mode: Option<u32>,
        /// Of a new one.
        uid: Option<u32>,
        /// Of a new one.
        gid: Option<u32>,
    },
    /// Memory.
    Tmpfs {
        /// Limit in bytes.
        size: Option<u64>,
    },
    /// A secret as a file, a variable or both.
    Secret {
        /// Which.
        id: String,
        /// The variable that holds it.
        env: Option<String>,
        /// A file is made: a target was named, or no variable.
        file: bool,
        /// Missing is an error.
        required: bool,
        /// Of the file.
        mode: u32,
        /// Of the file.
        uid: u32,
        /// Of the file.
        gid: u32,
    },
    /// The agent's socket.
    Ssh {
        /// Which.
        id: String,
        /// Missing is an error.
        required: bool,
        /// Of the socket.
        mode: u32,
        /// Of the socket.
        uid: u32,
        /// Of the socket.
        gid: u32,
    },
}

/// Whether writes are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// They are not.
    ReadOnly,
    /// They are.
    Writable,
}

/// Who may use a cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// All.
    Shared,
    /// Each its own, if another is in use.
    Private,
    /// One after the other.
    Locked,
}

const KEYS: &[&str] = &[
    "type",
    "from",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "readonly",
    "ro",
    "readwrite",
    "rw",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "env",
];

#[derive(Default)]
struct Raw {
    kind: Option<String>,
    from: Option<String>,
    source: Option<String>,
    target: Option<String>,
    writable: Option<bool>,
    id: Option<String>,
    sharing: Option<String>,
    required: Option<bool>,
    size: Option<String>,
    mode: Option<String>,
    uid: Option<String>,
    gid: Option<String>,
    env: Option<String>,
}

impl Mount {
    /// Reads the value of `--mount`, variables already expanded.
    ///
    /// # Errors
    /// What is wrong and what would be right.
    pub fn parse(value: &str) -> Result<Self, String> {
        let mut raw = Raw::default();
        for field in fields(value)? {
            let (key, value) = match field.split_once('=') {
                Some((key, value)) => (key.to_ascii_lowercase(), Some(value.to_owned())),
                None => (field.to_ascii_lowercase(), None),
            };
            raw.set(&key, value)?;
        }
        raw.finish()
    }
}

impl Raw {
    fn set(&mut self, key: &str, value: Option<String>) -> Result<(), String> {
        let flag = |value: &Option<String>| match value.as_deref() {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(format!(
                "invalid value for {key}: {other}: it is true or false"
            )),
        };
        match key {
            "readonly" | "ro" => self.writable = Some(!flag(&value)?),
            "readwrite" | "rw" => self.writable = Some(flag(&value)?),
            "required" => self.required = Some(flag(&value)?),
            _ if !KEYS.contains(&key) => {
                return Err(match suggest::nearest(key, KEYS.iter().copied()) {
                    Some(meant) => {
                        format!("unexpected key '{key}' in --mount (did you mean {meant}?)")
                    }
                    None => format!("unexpected key '{key}' in --mount"),
                });
            }
            _ => {
                let value = value.ok_or_else(|| {
                    format!("invalid field '{key}' in --mount: it must be a key=value pair")
                })?;
                *self.slot(key) = Some(value);
            }
        }
        Ok(())
    }

    fn slot(&mut self, key: &str) -> &mut Option<String> {
        match key {
            "type" => &mut self.kind,
            "from" => &mut self.from,
            "source" | "src" => &mut self.source,
            "target" | "dst" | "destination" => &mut self.target,
            "id" => &mut self.id,
            "sharing" => &mut self.sharing,
            "size" => &mut self.size,
            "mode" => &mut self.mode,
            "uid" => &mut self.uid,
            "gid" => &mut self.gid,
            _ => &mut self.env,
        }
    }

    fn finish(self) -> Result<Mount, String> {
        let name = self
            .kind
            .clone()
            .unwrap_or_else(|| "bind".to_owned())
            .to_ascii_lowercase();
        self.check_keys(&name)?;
        let number = |value: &Option<String>, what: &str| match value {
            None => Ok(None),
            Some(text) => text
                .parse::<u32>()
                .map(Some)
                .map_err(|_| format!("invalid value {text} for {what} in --mount: it is a number")),
        };
        let (uid, gid) = (number(&self.uid, "uid")?, number(&self.gid, "gid")?);
        let mode = match &self.mode {
            None => None,
            Some(text) => Some(
                u32::from_str_radix(text, 8)
                    .ok()
                    .filter(|m| *m <= 0o7777)
                    .ok_or_else(|| format!("invalid value {text} for mode in --mount: it is an octal number such as 0400"))?,
            ),
        };
        let target = self.target.clone().unwrap_or_default();
        if target.is_empty() && !matches!(name.as_str(), "secret" | "ssh") {
            return Err(format!("--mount=type={name} needs target=PATH"));
        }
        let access = |default: Access| match self.writable {
            None => default,
            Some(true) => Access::Writable,
            Some(false) => Access::ReadOnly,
        };
        let source = self.source.clone().unwrap_or_default();
        let kind = match name.as_str() {
            "bind" => MountKind::Bind {
                writable: access(Access::ReadOnly),
                from: self.from,
                source,
            },
            "cache" => MountKind::Cache {
                sharing: sharing(self.sharing.as_deref())?,
                writable: access(Access::Writable),
                id: self.id,
                from: self.from,
                source,
                mode,
                uid,
                gid,
            },
            "tmpfs" => MountKind::Tmpfs {
                size: self.size.as_deref().map(size).transpose()?,
            },
            "secret" => {
                let id = self
                    .id
                    .or_else(|| {
                        target
                            .rsplit('/')
                            .next()
                            .map(str::to_owned)
                            .filter(|n| !n.is_empty())
                    })
                    .ok_or("--mount=type=secret needs id=NAME")?;
                MountKind::Secret {
                    file: !target.is_empty() || self.env.is_none(),
                    id,
                    env: self.env,
                    required: self.required.unwrap_or(false),
                    mode: mode.unwrap_or(0o400),
                    uid: uid.unwrap_or(0),
                    gid: gid.unwrap_or(0),
                }
            }
            "ssh" => MountKind::Ssh {
                id: self.id.unwrap_or_else(|| "default".to_owned()),
                required: self.required.unwrap_or(false),
                mode: mode.unwrap_or(0o600),
                uid: uid.unwrap_or(0),
                gid: gid.unwrap_or(0),
            },
            _ => return Err(format!("unsupported mount type {name:?}")),
        };
        Ok(Mount { kind, target })
    }

    /// A key that the kind has no use for is a mistake, not a wish to ignore.
    fn check_keys(&self, name: &str) -> Result<(), String> {
        let allowed: &[&str] = match name {
            "bind" => &["from", "source", "target", "readonly"],
            "cache" => &[
                "from", "source", "target", "readonly", "id", "sharing", "mode", "uid", "gid",
            ],
            "tmpfs" => &["target", "size"],
            "secret" => &[
                "target", "id", "required", "mode", "uid", "gid", "env", "source",
            ],
            "ssh" => &["target", "id", "required", "mode", "uid", "gid"],
            other => {
                let kinds = ["bind", "cache", "tmpfs", "secret", "ssh"];
                return Err(match suggest::nearest(other, kinds) {
                    Some(meant) => {
                        format!("unsupported mount type {other:?} (did you mean {meant}?)")
                    }
                    None => format!(
                        "unsupported mount type {other:?}: there are {}",
                        kinds.join(", ")
                    ),
                });
            }
        };
        let given = [
            ("from", self.from.is_some()),
            ("source", self.source.is_some()),
            ("readonly", self.writable.is_some()),
            ("id", self.id.is_some()),
            ("sharing", self.sharing.is_some()),
            ("required", self.required.is_some()),
            ("size", self.size.is_some()),
            ("mode", self.mode.is_some()),
            ("uid", self.uid.is_some()),
            ("gid", self.gid.is_some()),
            ("env", self.env.is_some()),
        ];
        match given
            .iter()
            .find(|(key, given)| *given && !allowed.contains(key))
        {
            Some((key, _)) => Err(format!("unexpected key '{key}' for mount type '{name}'")),
            None => Ok(()),
        }
    }
}

fn sharing(text: Option<&str>) -> Result<Sharing, String> {
    match text {
        None | Some("shared") => Ok(Sharing::Shared),
        Some("private") => Ok(Sharing::Private),
        Some("locked") => Ok(Sharing::Locked),
        Some(other) => Err(format!(
            "unsupported sharing value {other:?}: there are shared, private and locked"
        )),
    }
}

/// A number of bytes with a binary suffix: `64m`, `1g`, `1GiB`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1_u64 << 30,
        "t" | "tb" | "tib" => 1_u64 << 40,
        _ => 0,
    };
    text[..digits]
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(unit))
        .filter(|n| *n > 0)
        .ok_or_else(|| format!("invalid value for size: {text:?}: write 64m or 1g"))
}

/// One CSV record: fields may be quoted, with doubled quotes inside.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut out = vec![String::new()];
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        let last = out.len() - 1;
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => out[last].push('"'),
            '"' if quoted => quoted = false,
            '"' if out[last].is_empty() => quoted = true,
            ',' if !quoted => out.push(String::new()),
            c => out[last].push(c),
        }
    }
    if quoted {
        return Err("a quote in --mount is not closed".to_owned());
    }
    Ok(out)
}
