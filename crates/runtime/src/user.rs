//! Users of a container, by the names in its own files or by number.

use kernel::root::RootDir;
use kernel::user::Users;

use crate::error::{Error, Kind, Result};

/// A user, as a process becomes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// All groups of its processes, the first one too: a set-group-id program must not shed it (CVE-2022-36109).
    pub additional_gids: Vec<u32>,
    /// The home directory, `/` if none is known.
    pub home: String,
}

/// Finds the user that `asked` means in the container behind `root`: `user[:group]`, each a name or a number. Digits are always a
/// number, never a name (CVE-2016-3697, CVE-2026-30892). `extra`: groups besides.
///
/// # Errors
/// A name isn't in the files, a number is too large, or the files aren't such as are read.
pub fn resolve_user(root: &RootDir, asked: &str, extra: &[u32]) -> Result<User> {
    find(&Users::read(root)?, asked, extra)
}

/// The numbers of groups that the container's files name.
///
/// # Errors
/// A name isn't in the file, or the file isn't such as is read.
pub fn resolve_groups(root: &RootDir, names: &[String]) -> Result<Vec<u32>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let users = Users::read(root)?;
    let number = |name: &String| {
        let found = users.group(name);
        found.ok_or_else(|| unknown("group", name, "group"))
    };
    names.iter().map(number).collect()
}

pub(crate) fn find(users: &Users, asked: &str, extra: &[u32]) -> Result<User> {
    let (name, group) = asked.split_once(':').unwrap_or((asked, ""));
    let (uid, entry) = match number(name)? {
        Some(uid) => (uid, users.by_uid(uid)),
        None if name.is_empty() => (0, users.by_uid(0)),
        None => {
            let entry = users
                .by_name(name)
                .ok_or_else(|| unknown("user", name, "passwd"))?;
            (entry.uid, Some(entry))
        }
    };
    let own = entry.as_ref().map_or(0, |e| e.gid);
    let (gid, member) = match number(group)? {
        Some(gid) => (gid, false),
        None if group.is_empty() => (own, true),
        None => (
            users
                .group(group)
                .ok_or_else(|| unknown("group", group, "group"))?,
            false,
        ),
    };
    let mut all = vec![gid];
    // As Docker: who names a group gets that one only.
    let listed = entry
        .as_ref()
        .filter(|_| member)
        .map(|e| users.groups_of(&e.name));
    for &gid in listed.iter().flatten().chain(extra) {
        if !all.contains(&gid) {
            all.push(gid);
        }
    }
    let home = entry.map(|e| e.home).filter(|h| h.starts_with('/'));
    Ok(User {
        uid,
        gid,
        additional_gids: all,
        home: home.unwrap_or_else(|| "/".to_owned()),
    })
}

fn unknown(what: &str, name: &str, file: &str) -> Error {
    let name: String = name.escape_default().take(256).collect();
    let text = format!("unable to find {what} {name}: no matching entries in {file} file");
    Error::message(Kind::UnknownUser, text)
}

/// The number that `text` is, if it is one. The highest is what system calls take for "leave as it is".
fn number(text: &str) -> Result<Option<u32>> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(number) if number != u32::MAX => Ok(Some(number)),
        _ => Err(Error::message(
            Kind::UnknownUser,
            format!("uids and gids must be in range 0-{}", u32::MAX - 1),
        )),
    }
}

#[cfg(test)]
mod tests;
