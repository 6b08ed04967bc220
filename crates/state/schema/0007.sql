-- Which addresses a network gave out last: one that was given back rests before it is used again.
ALTER TABLE networks ADD COLUMN last_v4 BLOB;
ALTER TABLE networks ADD COLUMN last_v6 BLOB;

-- Whom containers of the default network know by names of their own (--link).
CREATE TABLE links (
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    alias     TEXT NOT NULL,
    target    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    PRIMARY KEY (container, alias)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_target ON links (target);
