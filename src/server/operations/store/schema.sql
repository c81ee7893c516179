-- Version 1. Moments are RFC 3339 in UTC; resources, metadata, inputs and requestor are JSON.
CREATE TABLE operation (
    id TEXT PRIMARY KEY,
    parent TEXT,
    is_parent INTEGER NOT NULL,
    kind TEXT NOT NULL,
    class TEXT NOT NULL,
    description TEXT NOT NULL,
    project TEXT,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    status INTEGER NOT NULL,
    error TEXT,
    error_code INTEGER,
    cancel TEXT,
    resources TEXT NOT NULL,
    metadata TEXT NOT NULL,
    inputs TEXT NOT NULL,
    requestor TEXT,
    reference TEXT,
    may_cancel INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    must_run INTEGER NOT NULL
) WITHOUT ROWID;
