-- Version 2. Operations whose end is announced until somebody acknowledges it.
ALTER TABLE operation ADD COLUMN in_outbox INTEGER NOT NULL DEFAULT 0;
