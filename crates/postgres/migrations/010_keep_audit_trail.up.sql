-- What was changed by hand: who, through what, when, and with what result. An entry is written before the change and
-- completed after it, so that a change whose program died is here, too, without an end.
CREATE TABLE longshore.audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL CHECK (actor <> ''),
    -- The command line, the API or the dashboard.
    via text NOT NULL CHECK (via <> ''),
    action text NOT NULL CHECK (action <> ''),
    target text NOT NULL,
    ended_at timestamptz,
    -- How many jobs or other things have changed.
    changed bigint,
    error text
);
