-- The engine's registry: blobs that it holds, whatever images have them, and its records.
CREATE TABLE blob_holds (
    digest TEXT PRIMARY KEY REFERENCES blobs (digest),
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE registry_records (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
