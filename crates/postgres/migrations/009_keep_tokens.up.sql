-- The access tokens of a server that shows the queue. A token is random, and only its hash is here. Names are compared
-- as bytes, so that lists come in the same order everywhere.
CREATE TABLE longshore.token (
    name text COLLATE "C" PRIMARY KEY CHECK (name <> ''),
    hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    -- Words, separated by spaces.
    scopes text NOT NULL CHECK (scopes <> ''),
    created_at timestamptz NOT NULL
);
