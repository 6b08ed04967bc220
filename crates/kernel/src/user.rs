//! The users and groups that a container's own files name: passwd(5) and group(5), read as data.
//!
//! No name service is asked, and a file that is no regular one or too long is refused (CVE-2026-47262 and its like). Lines that are malformed are passed over,
//! as libc does.

use crate::Result;
use crate::root::RootDir;

/// The longest file that is read.
pub const MAX_FILE: u64 = 10 * 1024 * 1024;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The number of the user's own group.
    pub gid: u32,
    /// The home directory, as written.
    pub home: String,
    /// The shell, as written.
    pub shell: String,
}

/// The content of both files.
#[derive(Clone, Debug, Default)]
pub struct Users {
    passwd: Vec<u8>,
    group: Vec<u8>,
}

impl Users {
    /// Reads `/etc/passwd` and `/etc/group` below `root`. A file that does not exist names nobody.
    ///
    /// # Errors
    /// One is not a regular file, too long, or can't be read.
    pub fn read(root: &RootDir) -> Result<Self> {
        Ok(Self {
            passwd: file(root, "etc/passwd")?,
            group: file(root, "etc/group")?,
        })
    }

    /// From the content of both files.
    #[must_use]
    pub fn from_bytes(passwd: Vec<u8>, group: Vec<u8>) -> Self {
        Self { passwd, group }
    }

    /// The first user of that name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<User> {
        self.users().find(|user| user.name == name)
    }

    /// The first user with that number.
    #[must_use]
    pub fn by_uid(&self, uid: u32) -> Option<User> {
        self.users().find(|user| user.uid == uid)
    }

    /// The number of the first group of that name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<u32> {
        self.groups()
            .find(|(known, _, _)| *known == name)
            .map(|(_, gid, _)| gid)
    }

    /// The numbers of the groups that list the user `name` as a member, in the order of the file, each once.
    #[must_use]
    pub fn groups_of(&self, name: &str) -> Vec<u32> {
        let mut found = Vec::new();
        for (_, gid, members) in self.groups() {
            if members.split(',').any(|member| member.trim() == name) && !found.contains(&gid) {
                found.push(gid);
            }
        }
        found
    }

    fn users(&self) -> impl Iterator<Item = User> {
        lines(&self.passwd).filter_map(|line| {
            let fields: Vec<&str> = line.splitn(7, ':').collect();
            let [name, _, uid, gid, rest @ ..] = fields.as_slice() else {
                return None;
            };
            if name.is_empty() {
                return None;
            }
            // name:password:uid:gid:comment:home:shell
            let field = |index: usize| {
                rest.get(index)
                    .map_or_else(String::new, ToString::to_string)
            };
            let (uid, gid) = (number(uid)?, number(gid)?);
            Some(User {
                name: (*name).to_owned(),
                uid,
                gid,
                home: field(1),
                shell: field(2),
            })
        })
    }

    fn groups(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        lines(&self.group).filter_map(|line| {
            // name:password:gid:members
            let mut fields = line.splitn(4, ':');
            let name = fields.next().filter(|name| !name.is_empty())?;
            let gid = number(fields.nth(1)?)?;
            Some((name, gid, fields.next().unwrap_or_default()))
        })
    }
}

/// The largest number is no user and no group: chown(2) and setresuid(2) take it as "leave as it is".
fn number(text: &str) -> Option<u32> {
    text.trim()
        .parse()
        .ok()
        .filter(|number| *number != u32::MAX)
}

fn file(root: &RootDir, path: &str) -> Result<Vec<u8>> {
    match root.read_limited(path, MAX_FILE) {
        Err(error) if matches!(error.errno(), crate::Errno::NOENT | crate::Errno::NOTDIR) => {
            Ok(Vec::new())
        }
        other => other,
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &str> {
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '+', '-']))
}

#[cfg(test)]
mod tests {
    use super::Users;

    fn users() -> Users {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n# comment\nweb:x:33:34::/srv:/bin/false\nbad line\n\
                      x:x:-1:0::/:\nhuge:x:4294967296:0::/:\nlast:x:4294967295:0::/:\nshort:x:7:8\n";
        let group = "root:x:0:\nweb:x:34:\nvideo:x:44:web, other\naudio:x:45:other,web\n:x:5:web\n";
        Users::from_bytes(passwd.into(), group.into())
    }

    #[test]
    fn the_first_that_matches() {
        let web = users().by_name("web").unwrap();
        assert_eq!(
            (web.uid, web.gid, web.home.as_str(), web.shell.as_str()),
            (33, 34, "/srv", "/bin/false")
        );
        assert_eq!(users().by_uid(0).unwrap().name, "root");
        let short = users().by_name("short").unwrap();
        assert_eq!((short.uid, short.home.as_str()), (7, ""));
    }

    #[test]
    fn numbers_that_are_none_name_nobody() {
        for name in ["x", "huge", "last", "bad line", ""] {
            assert_eq!(users().by_name(name), None, "{name}");
        }
    }

    #[test]
    fn groups() {
        assert_eq!(users().groups_of("web"), [44, 45]);
        assert_eq!(users().group("video"), Some(44));
        assert_eq!(users().group("none"), None);
    }
}
