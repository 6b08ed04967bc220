-- What this installation is.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One layer, one file. A row is there only when its file is there, whole and on disk.
CREATE TABLE layers (
    id         TEXT PRIMARY KEY,      -- the file's name: 64 hexadecimal digits
    diff_id    TEXT NOT NULL,
    chain_id   TEXT,                  -- set when the file was made against the layers below it
    format     TEXT NOT NULL,         -- 'erofs', 'directory'
    tar_size   INTEGER NOT NULL,
    file_size  INTEGER NOT NULL,
    checksum   TEXT NOT NULL,         -- of the file
    created_at INTEGER NOT NULL       -- unix nanoseconds, as all times
) STRICT, WITHOUT ROWID;
CREATE INDEX layers_diff ON layers (diff_id);
CREATE INDEX layers_chain ON layers (chain_id) WHERE chain_id IS NOT NULL;

-- What was loaded, byte for byte.
CREATE TABLE blobs (
    digest     TEXT PRIMARY KEY,
    size       INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE images (
    id          TEXT PRIMARY KEY,     -- the digest of its configuration
    manifest    TEXT,                 -- the digest of the manifest that it came with
    config      TEXT NOT NULL,        -- the configuration, as it came
    size        INTEGER NOT NULL,     -- bytes of its layers' files
    created_at  INTEGER,              -- as it says itself
    added_at    INTEGER NOT NULL,
    tagged_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE image_layers (
    image    TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    layer    TEXT NOT NULL REFERENCES layers (id),
    PRIMARY KEY (image, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_layers_layer ON image_layers (layer);

CREATE TABLE image_blobs (
    image  TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    digest TEXT NOT NULL REFERENCES blobs (digest),
    PRIMARY KEY (image, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_blobs_digest ON image_blobs (digest);

CREATE TABLE tags (
    reference TEXT PRIMARY KEY,       -- normalised: docker.io/library/busybox:latest
    image     TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_image ON tags (image);

-- What is wanted. Whether it runs is never here: the lock of its monitor says so.
-- A brief container costs two writes of each page that its row touches, so it touches few: no table and no index but those
-- that are needed to find it, and what is looked for rarely is scanned for.
CREATE TABLE containers (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    image       TEXT NOT NULL,        -- not a foreign key: an image may be removed from under stopped containers
    layers      TEXT NOT NULL,        -- ids with spaces between, bottom first
    auto_remove INTEGER NOT NULL,
    config      TEXT NOT NULL,        -- the engine's JSON
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE volumes (
    name       TEXT PRIMARY KEY,
    anonymous  INTEGER NOT NULL,
    labels     TEXT NOT NULL,         -- JSON
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE container_volumes (
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    volume    TEXT NOT NULL REFERENCES volumes (name),
    PRIMARY KEY (container, volume)
) STRICT, WITHOUT ROWID;
CREATE INDEX container_volumes_volume ON container_volumes (volume);

-- Operations under way. An entry whose owner is dead is finished or undone by whoever opens the store next.
CREATE TABLE journal (
    id               INTEGER PRIMARY KEY,
    kind             TEXT NOT NULL,
    subject          TEXT NOT NULL,
    owner_pid        INTEGER NOT NULL,   -- 0: given up by its owner
    owner_start_time INTEGER NOT NULL,
    owner_boot_id    TEXT NOT NULL,
    payload          TEXT NOT NULL,      -- JSON
    created_at       INTEGER NOT NULL
) STRICT;
