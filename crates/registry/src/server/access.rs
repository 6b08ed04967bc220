//! Who may do what in which repository.

use super::name::Name;

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

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    user: Option<String>,
}

impl Caller {
    /// The user's name; nothing for who gave none.
    pub(crate) fn name(&self) -> &str {
        self.user.as_deref().unwrap_or_default()
    }
}

/// Who may do what.
#[derive(Debug, Default)]
pub struct Access {}

impl Access {
    /// Everybody everything.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    pub(crate) fn allows(&self, _caller: &Caller, _name: &Name, _action: Action) -> bool {
        true
    }
}
