-- Version 1. Moments are RFC 3339 in UTC, spans of time are seconds with `s`; `config` is the uid of a config.
CREATE TABLE config (
    uid INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    policy TEXT NOT NULL,
    UNIQUE (project, name)
);
CREATE TABLE variable (
    config INTEGER NOT NULL,
    path TEXT NOT NULL,
    is_text INTEGER NOT NULL,
    body BLOB NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    PRIMARY KEY (config, path)
) WITHOUT ROWID;
CREATE TABLE waiter (
    config INTEGER NOT NULL,
    name TEXT NOT NULL,
    success_path TEXT NOT NULL,
    success_number INTEGER NOT NULL,
    failure_path TEXT,
    failure_number INTEGER,
    timeout TEXT NOT NULL,
    created TEXT NOT NULL,
    outcome TEXT,
    ended TEXT,
    PRIMARY KEY (config, name)
) WITHOUT ROWID;
CREATE TABLE request (
    list TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (list, id)
) WITHOUT ROWID;
