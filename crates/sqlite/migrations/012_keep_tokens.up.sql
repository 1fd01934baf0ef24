-- The access tokens of a server that shows the queue. A token is random, and only its hash is here.
CREATE TABLE job_tokens (
    name TEXT NOT NULL PRIMARY KEY CHECK (name > '' AND name < x''),
    hash BLOB NOT NULL UNIQUE CHECK (typeof(hash) = 'blob' AND length(hash) = 32),
    -- Words, separated by spaces.
    scopes TEXT NOT NULL CHECK (scopes > '' AND scopes < x''),
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
