-- As version 1 left it, killed while the last one ran. Moments are RFC 3339 in UTC; resources, metadata, inputs and requestor are JSON.
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
INSERT INTO operation VALUES ('01a20051-dbd7-7e5e-9bf8-c75eb9909c1c', NULL, 0, 'demo', 'durable', 'Ünder "quotes"', 'default', '2026-11-21T22:54:54.423897753Z', '2026-11-21T22:54:54.530678338Z', 200, NULL, NULL, NULL, '{"things":["/1.0/things/a"]}', '{"demo_progress":"Step 2 of 2: 100%","progress":{"percent":"100","stage":"demo"},"step":2}', '{"duration":0.1,"steps":2}', '{"username":"root","protocol":"unix","address":"@"}', 'a', 1, 0, 0);
INSERT INTO operation VALUES ('01a20051-dbe1-73b0-b131-30e452f260b5', NULL, 1, 'demo', 'task', 'Demonstration', 'default', '2026-11-21T22:54:54.433230432Z', '2026-11-21T22:54:54.486304368Z', 400, 'One or more child operations failed', 500, NULL, '{}', '{}', '{"children":[{"duration":0.05},{"duration":0.05,"outcome":"failure"}],"duration":0.1,"error":"it broke","outcome":"failure"}', '{"username":"root","protocol":"unix","address":"@"}', NULL, 1, 0, 0);
INSERT INTO operation VALUES ('01a20051-dbe1-73b1-8439-8dca72d760ac', '01a20051-dbe1-73b0-b131-30e452f260b5', 0, 'demo', 'task', 'Demonstration', 'default', '2026-11-21T22:54:54.433230432Z', '2026-11-21T22:54:54.486304368Z', 200, NULL, NULL, NULL, '{}', '{"demo_progress":"Step 1 of 1: 100%","progress":{"percent":"100","stage":"demo"},"step":1}', '{"duration":0.05}', '{"username":"root","protocol":"unix","address":"@"}', NULL, 1, 0, 0);
INSERT INTO operation VALUES ('01a20051-dbe1-73b2-a823-011a7c1ef082', '01a20051-dbe1-73b0-b131-30e452f260b5', 0, 'demo', 'task', 'Demonstration', 'default', '2026-11-21T22:54:54.433230432Z', '2026-11-21T22:54:54.486304368Z', 400, 'failed as it was told', 500, NULL, '{}', '{"demo_progress":"Step 1 of 1: 100%","progress":{"percent":"100","stage":"demo"},"step":1}', '{"duration":0.05,"outcome":"failure"}', '{"username":"root","protocol":"unix","address":"@"}', NULL, 1, 0, 0);
INSERT INTO operation VALUES ('01a20051-dfd5-711e-8388-c72dac26fb3b', NULL, 0, 'demo', 'durable', 'Demonstration', 'default', '2026-11-21T22:54:55.445069614Z', '2026-11-21T22:54:55.445069614Z', 103, NULL, NULL, NULL, '{}', '{}', '{"duration":600}', '{"username":"root","protocol":"unix","address":"@"}', NULL, 1, 0, 0);
PRAGMA user_version = 1;
