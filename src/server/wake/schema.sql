-- Version 1. Of a wake-up, one of both: a moment, RFC 3339 in UTC, or the full name of a waiter.
CREATE TABLE wake_up (
    name TEXT PRIMARY KEY,
    at TEXT,
    waiter TEXT
) WITHOUT ROWID;
