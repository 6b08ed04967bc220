//! Removing a container, made ready before it is due.

use crate::db::Db;
use crate::error::Result;
use crate::{container, image, journal, volume};

impl Db {
    /// Compiles the statements that removing a container takes, which is most of what they cost. Call it where something else
    /// is waited for.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn foresee_removal(&self) -> Result<()> {
        let statements = [
            volume::ANONYMOUS_OF,
            journal::BEGIN,
            container::REMOVE,
            &image::by_id(),
            journal::FINISH,
        ];
        self.read(|tx| {
            for sql in statements {
                drop(tx.inner.prepare_cached(sql)?);
            }
            Ok(())
        })
    }
}
