//! Records in the engine's database.

use bytes::Bytes;
use registry::server::storage::{Answer, Existing, Records};
use state::Durability;

use super::failed;
use crate::open::Engine;

/// The records of the engine's registry.
pub(super) struct EngineRecords(pub(super) Engine);

impl Records for EngineRecords {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        let name = key.to_owned();
        Box::pin(async move {
            let value = self
                .0
                .long(move |engine| Ok(engine.0.db.read(|tx| tx.record(&name))?));
            let value = value.await.map_err(failed("read record", &key))?;
            Ok(value.map(Bytes::from))
        })
    }

    fn put<'a>(&'a self, key: &'a str, value: Bytes, existing: Existing) -> Answer<'a, bool> {
        let name = key.to_owned();
        Box::pin(async move {
            let put = self.0.long(move |engine| {
                let written = engine
                    .0
                    .db
                    .write_with(Durability::Full, |tx| match existing {
                        Existing::Keep => tx.add_record(&name, &value),
                        Existing::Replace => tx.set_record(&name, &value).map(|()| true),
                    });
                Ok(written?)
            });
            put.await.map_err(failed("write record", &key))
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, bool> {
        let name = key.to_owned();
        Box::pin(async move {
            let removed = self.0.long(move |engine| {
                let full = Durability::Full;
                Ok(engine.0.db.write_with(full, |tx| tx.remove_record(&name))?)
            });
            removed.await.map_err(failed("remove record", &key))
        })
    }

    fn names<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        most: usize,
    ) -> Answer<'a, Vec<String>> {
        let (name, after) = (folder.to_owned(), after.to_owned());
        Box::pin(async move {
            let names = self.0.long(move |engine| {
                Ok(engine
                    .0
                    .db
                    .read(|tx| tx.record_names(&name, &after, most))?)
            });
            names.await.map_err(failed("list", &folder))
        })
    }
}
