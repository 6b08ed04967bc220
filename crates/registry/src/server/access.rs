//! Who may do what in which repository.

mod password;
mod pattern;
mod ticket;

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::name::Name;
use crate::error::Result;

pub(crate) use password::{Passwords, Verdict};
pub(crate) use ticket::{Grant, LIFE, Tickets};

pub use pattern::Pattern;

/// What may be done in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Reading.
    Pull,
    /// Adding.
    Push,
    /// Taking out.
    Delete,
}

impl Action {
    /// As scopes of tokens name it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }

    /// Reads such a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pull, Self::Push, Self::Delete]
            .into_iter()
            .find(|action| action.word() == word)
    }
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    user: Option<String>,
    /// What a token was given for; none for who shows who they are.
    scope: Option<Vec<Grant>>,
}

impl Caller {
    /// Who gave this name and its password.
    pub(crate) fn known(user: &str) -> Self {
        Self {
            user: Some(user.to_owned()),
            scope: None,
        }
    }

    /// Who shows a token.
    pub(crate) fn with_scope(user: Option<String>, scope: Vec<Grant>) -> Self {
        Self {
            user,
            scope: Some(scope),
        }
    }

    /// The user's name; nothing for who gave none.
    pub(crate) fn name(&self) -> &str {
        self.user.as_deref().unwrap_or_default()
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        self.user.is_none()
    }

    /// Whether what it shows was given for this, whatever its user may do.
    pub(crate) fn covers(&self, name: &Name, action: Action) -> bool {
        let covers = |grant: &Grant| grant.covers(name, action);
        self.scope.as_ref().is_none_or(|all| all.iter().any(covers))
    }
}

/// Whom a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Whoever asks, also without a name.
    Anybody,
    /// Every user.
    Users,
    /// This one.
    User(String),
}

/// Lets some do something in some repositories. What no rule allows is forbidden.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where.
    pub repositories: Vec<Pattern>,
    /// Who.
    pub who: Vec<Who>,
    /// What.
    pub actions: BTreeSet<Action>,
}

impl Rule {
    /// Lets all users do everything.
    #[must_use]
    pub fn users() -> Self {
        let actions = [Action::Pull, Action::Push, Action::Delete];
        Self {
            repositories: vec![Pattern::everything()],
            who: vec![Who::Users],
            actions: actions.into(),
        }
    }

    /// Lets everybody read everything.
    #[must_use]
    pub fn anonymous_pull() -> Self {
        Self {
            repositories: vec![Pattern::everything()],
            who: vec![Who::Anybody],
            actions: [Action::Pull].into(),
        }
    }

    fn allows(&self, user: Option<&str>, name: &Name, action: Action) -> bool {
        let is = |who: &Who| match who {
            Who::Anybody => true,
            Who::Users => user.is_some(),
            Who::User(one) => user == Some(one),
        };
        self.actions.contains(&action)
            && self.who.iter().any(is)
            && self
                .repositories
                .iter()
                .any(|p| p.fits(name.as_str(), user))
    }
}

/// Who may do what.
#[derive(Debug, Default)]
pub struct Access(Option<Closed>);

#[derive(Debug)]
struct Closed {
    passwords: Passwords,
    rules: Vec<Rule>,
}

impl Access {
    /// Everybody everything.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// The users of a file of `htpasswd -B`, which is read again when it changes, by these rules.
    ///
    /// # Errors
    /// The file can't be read, or has a password that is not hashed by bcrypt.
    pub fn users(htpasswd: PathBuf, rules: Vec<Rule>) -> Result<Self> {
        let passwords = Passwords::open(htpasswd)?;
        Ok(Self(Some(Closed { passwords, rules })))
    }

    pub(crate) fn passwords(&self) -> Option<&Passwords> {
        self.0.as_ref().map(|closed| &closed.passwords)
    }

    /// Whether everybody may do everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the rules let a caller's user do this.
    pub(crate) fn allows(&self, caller: &Caller, name: &Name, action: Action) -> bool {
        self.0.as_ref().is_none_or(|closed| {
            let user = caller.user.as_deref();
            let allows = |rule: &Rule| rule.allows(user, name, action);
            closed.rules.iter().any(allows)
        })
    }

    /// Whether the rules let a caller read whatever there is.
    pub(crate) fn allows_all(&self, caller: &Caller) -> bool {
        self.0.as_ref().is_none_or(|closed| {
            let known = caller.user.is_some();
            caller.scope.is_none()
                && closed.rules.iter().any(|rule| {
                    let fits =
                        rule.who.contains(&Who::Anybody) || known && rule.who.contains(&Who::Users);
                    let all = rule.repositories.contains(&Pattern::everything());
                    fits && all && rule.actions.contains(&Action::Pull)
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, who: Who, actions: &[Action]) -> Rule {
        Rule {
            repositories: vec![Pattern::parse(pattern).unwrap()],
            who: vec![who],
            actions: actions.iter().copied().collect(),
        }
    }

    /// All verbs by all roles in all places: what is not granted is refused.
    #[test]
    fn the_table_of_rights() {
        use Action::{Delete, Pull, Push};
        let rules = vec![
            rule("public/**", Who::Anybody, &[Pull]),
            rule("public/**", Who::User("alice".to_owned()), &[Push]),
            rule("team/*", Who::Users, &[Pull, Push]),
            rule("{user}/**", Who::Users, &[Pull, Push, Delete]),
        ];
        let file = tempfile::NamedTempFile::new().unwrap();
        let access = Access::users(file.path().to_owned(), rules).unwrap();
        for (user, repository, allowed) in [
            ("", "public/a", &[Pull][..]),
            ("", "team/a", &[]),
            ("", "alice/a", &[]),
            ("alice", "public/a/b", &[Pull, Push]),
            ("bob", "public/a/b", &[Pull]),
            ("alice", "team/a", &[Pull, Push]),
            ("alice", "team/a/b", &[]),
            ("alice", "alice/a/b", &[Pull, Push, Delete]),
            ("alice", "bob/a", &[]),
            ("bob", "bob/a", &[Pull, Push, Delete]),
            ("alice", "alice", &[]),
            ("alice", "alicea/x", &[]),
        ] {
            let caller = match user {
                "" => Caller::default(),
                user => Caller::known(user),
            };
            let name = Name::parse(repository).unwrap();
            for action in [Pull, Push, Delete] {
                let expected = allowed.contains(&action);
                let found = access.allows(&caller, &name, action);
                assert_eq!(found, expected, "{user} {repository} {action:?}");
            }
            assert!(!access.allows_all(&caller));
        }
        let all = Access::users(file.path().to_owned(), vec![Rule::users()]).unwrap();
        assert!(all.allows_all(&Caller::known("alice")));
        assert!(!all.allows_all(&Caller::default()));
    }
}
