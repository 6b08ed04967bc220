-- What the steps of builds came to. A key is a digest of everything that a step depends on; the layer may be gone by now, so
-- whoever finds one looks whether it is there. Empty: the step made no layer.
CREATE TABLE build_results (
    key TEXT PRIMARY KEY NOT NULL,
    diff_id TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX build_results_by_layer ON build_results (diff_id);
