-- A separate thread copies the log early (writing/checkpoints.rs), so that it is overwritten in place and not extended:
-- that is twice as fast with synchronous = FULL. A log that a bulk load made large is truncated to 64 MiB when it is
-- restarted.
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 67108864;
PRAGMA foreign_keys = ON;
PRAGMA mmap_size = 0;
-- At most 8 MiB: a batch of a thousand jobs stays in memory, and an idle process stays small.
PRAGMA cache_size = -8000;
-- Each request of a group has a savepoint, for which SQLite keeps each page that it changes: in memory, and not in a
-- temporary file.
PRAGMA temp_store = MEMORY;
