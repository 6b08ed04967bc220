//! SQLite: what is wanted and what was last known.
