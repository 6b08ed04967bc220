//! `--chown` and `--chmod`.

use crate::build::source::Tree;
use crate::error::{Error, Result};

/// Small enough to be looked up, however strange the image.
const MAX_ACCOUNTS: u64 = 1 << 20;

/// What `--chmod` makes of a mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chmod {
    /// This one.
    Exactly(u16),
    /// `u=rwX,go=rX`: clauses, one after the other.
    Symbolic(Vec<Clause>),
}

/// One clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    /// Of whom: the bits of user, group and others that may change.
    who: u16,
    operator: char,
    /// `rwxXst`, or one of `ugo`.
    what: String,
}

impl Chmod {
    /// Reads one that the planner has checked.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if let Ok(mode) = u16::from_str_radix(text, 8) {
            return Ok(Self::Exactly(mode));
        }
        let clause = |part: &str| {
            let at = part.find(['+', '-', '='])?;
            let (who, rest) = part.split_at(at);
            let mut bits = 0;
            for one in who.chars() {
                bits |= match one {
                    'u' => 0o4700,
                    'g' => 0o2070,
                    'o' => 0o1007,
                    _ => 0o7777,
                };
            }
            Some(Clause {
                who: if who.is_empty() { 0o7777 } else { bits },
                operator: rest.chars().next()?,
                what: rest[1..].to_owned(),
            })
        };
        text.split(',')
            .map(clause)
            .collect::<Option<Vec<_>>>()
            .map(Self::Symbolic)
            .ok_or_else(|| Error::invalid(format!("invalid chmod parameter: '{text}'")))
    }

    /// The mode of something that had `mode`.
    pub(super) fn apply(&self, mode: u16, directory: Directory) -> u16 {
        match self {
            Self::Exactly(mode) => *mode,
            Self::Symbolic(clauses) => clauses
                .iter()
                .fold(mode, |mode, clause| clause.apply(mode, directory)),
        }
    }
}

/// Whether a mode is a directory's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directory {
    Yes,
    No,
}

impl Clause {
    fn apply(&self, mode: u16, directory: Directory) -> u16 {
        let mut bits = 0;
        for one in self.what.chars() {
            let triple = |shift: u16| (mode >> shift & 7) * 0o111;
            bits |= match one {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if directory == Directory::Yes || mode & 0o111 != 0 => 0o111,
                's' => 0o6000,
                't' => 0o1000,
                'u' => triple(6),
                'g' => triple(3),
                'o' => triple(0),
                _ => 0,
            };
        }
        let bits = bits & self.who;
        match self.operator {
            '+' => mode | bits,
            '-' => mode & !bits,
            // What is not named of those who are leaves; the special bits of a directory stay, as chmod(1) has it.
            _ => mode & !(self.who & 0o777) | bits,
        }
    }
}

/// `user[:group]`, names or numbers; a user's group is that of its line.
pub(super) fn owner(text: &str, below: &Tree) -> Result<(u32, u32)> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let line = |file: &str, name: &str| -> Result<Option<Vec<String>>> {
        let text = below.text(file, MAX_ACCOUNTS)?.unwrap_or_default();
        let found = text
            .lines()
            .map(|l| l.split(':').map(str::to_owned).collect::<Vec<_>>())
            .find(|f| f.first().is_some_and(|n| n == name));
        Ok(found)
    };
    let number = |fields: &Option<Vec<String>>, index: usize| {
        fields
            .as_ref()
            .and_then(|f| f.get(index))
            .and_then(|n| n.parse().ok())
    };
    let (uid, own_gid) = match user.parse::<u32>() {
        Ok(uid) => (uid, None),
        Err(_) => {
            let fields = line("etc/passwd", user)?;
            let uid = number(&fields, 2).ok_or_else(|| {
                Error::invalid(format!(
                    "unable to find user {user}: no matching entries in passwd file"
                ))
            })?;
            (uid, number(&fields, 3))
        }
    };
    let gid = match group {
        None => own_gid.unwrap_or(uid),
        Some(group) => match group.parse::<u32>() {
            Ok(gid) => gid,
            Err(_) => number(&line("etc/group", group)?, 2).ok_or_else(|| {
                Error::invalid(format!(
                    "unable to find group {group}: no matching entries in group file"
                ))
            })?,
        },
    };
    Ok((uid, gid))
}

#[cfg(test)]
mod tests {
    use super::{Chmod, Directory};

    #[test]
    fn modes_are_changed_as_chmod_does() {
        for (text, mode, directory, want) in [
            ("755", 0o600, Directory::No, 0o755),
            ("4711", 0o600, Directory::No, 0o4711),
            ("u=rwX,go=rX", 0o600, Directory::No, 0o644),
            ("u=rwX,go=rX", 0o600, Directory::Yes, 0o755),
            ("u=rwX,go=rX", 0o700, Directory::No, 0o755),
            ("+x", 0o644, Directory::No, 0o755),
            ("a-w", 0o666, Directory::No, 0o444),
            ("g=u", 0o640, Directory::No, 0o660),
            ("u+s,o+t", 0o755, Directory::No, 0o5755),
            ("go=", 0o777, Directory::No, 0o700),
        ] {
            let chmod = Chmod::parse(text).unwrap();
            assert_eq!(chmod.apply(mode, directory), want, "{text} {mode:o}");
        }
    }
}
