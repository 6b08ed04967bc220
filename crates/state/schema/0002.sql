-- Networks that were made. What every host has (host, none) has no row.
CREATE TABLE networks (
    id         TEXT PRIMARY KEY,      -- 64 hexadecimal digits
    name       TEXT NOT NULL UNIQUE,
    config     TEXT NOT NULL,         -- JSON
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What containers have on networks, from before the links are made until after they are gone: an address is reserved by its row.
-- Addresses are kept apart by whoever adds a row, in one transaction with reading the others: no index for it, which each start would write.
CREATE TABLE endpoints (
    network   TEXT NOT NULL REFERENCES networks (id),
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    v4        BLOB,                   -- 4 bytes
    v6        BLOB,                   -- 16 bytes
    config    TEXT NOT NULL,          -- JSON
    PRIMARY KEY (network, container)
) STRICT, WITHOUT ROWID;

-- Ports of the host that lead to containers, in the same way.
CREATE TABLE ports (
    protocol        INTEGER NOT NULL, -- its number in an IP header
    first           INTEGER NOT NULL,
    last            INTEGER NOT NULL,
    host_ip         BLOB NOT NULL,    -- 4 or 16 bytes, all zero for every address of the family
    container       TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    target          BLOB NOT NULL,    -- the container's address, of the same family
    container_first INTEGER NOT NULL,
    PRIMARY KEY (protocol, first, host_ip)
) STRICT, WITHOUT ROWID;
