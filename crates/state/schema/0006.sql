-- Layers and blobs of pulls that were interrupted: kept for a while although no image has them yet.
CREATE TABLE pull_holds (
    object TEXT PRIMARY KEY NOT NULL,  -- a layer's id or a blob's digest, which may not be there (yet)
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
