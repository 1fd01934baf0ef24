-- The log is copied by a thread of its own (writing/checkpoints.rs), early, so that it is overwritten in place rather
-- than extended: that is twice as quick under synchronous = FULL. One that a bulk load made large is cut back to
-- 64 MiB when it is begun anew.
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 67108864;
PRAGMA foreign_keys = ON;
PRAGMA mmap_size = 0;
-- 8 MiB at most: a batch of a thousand jobs stays in memory, and an idle process small.
PRAGMA cache_size = -8000;
