CREATE SCHEMA billing;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE address AS (street text, zip varchar(10));
CREATE TYPE span AS RANGE (subtype = timestamptz);
CREATE DOMAIN email AS text COLLATE "C" DEFAULT 'nobody@example.com' NOT NULL CHECK (VALUE LIKE '%@%');
CREATE SEQUENCE ticket AS bigint START WITH 100 INCREMENT BY 5 MAXVALUE 9000 CACHE 2;

CREATE FUNCTION double(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT n * 2 $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE AGGREGATE product(integer) (sfunc = int4mul, stype = integer, initcond = '1');

CREATE TABLE accounts (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 10) PRIMARY KEY,
    email email,
    name varchar(40) NOT NULL DEFAULT 'nobody',
    status varchar(10) NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'old')),
    state mood DEFAULT 'ok',
    home address,
    score numeric(10, 2) DEFAULT 1.5,
    twice integer,
    name_lower text GENERATED ALWAYS AS (lower(name)) STORED,
    note text COLLATE "C",
    tags text[] DEFAULT '{}',
    avatar bytea,
    updated_at timestamptz,
    CONSTRAINT accounts_score CHECK (score >= 0 AND (score IS NULL OR score < 100)),
    UNIQUE (name, status)
);
COMMENT ON TABLE accounts IS 'who pays';
COMMENT ON COLUMN accounts.name IS 'as they write it';
CREATE TABLE billing.invoices (
    id serial PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    parent_id integer REFERENCES billing.invoices (id) DEFERRABLE INITIALLY DEFERRED,
    number integer NOT NULL DEFAULT nextval('ticket'),
    paid boolean DEFAULT false,
    during tstzrange,
    CONSTRAINT invoices_number UNIQUE (number) INCLUDE (paid)
);
ALTER TABLE billing.invoices ADD CONSTRAINT invoices_positive CHECK (number > 0) NOT VALID;
ALTER TABLE billing.invoices ADD EXCLUDE USING gist (during WITH &&);
CREATE UNLOGGED TABLE cache (key text PRIMARY KEY, value jsonb) WITH (fillfactor = 70);
CREATE TABLE events (id bigint, at timestamptz NOT NULL, what text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2026-01-01 00:00+00');
CREATE TABLE base (id integer, kind text);
CREATE TABLE child (extra text) INHERITS (base);

CREATE INDEX accounts_search ON accounts (lower(name), score DESC NULLS LAST);
CREATE UNIQUE INDEX accounts_mail ON accounts (email) WHERE status = 'new';
CREATE INDEX accounts_tags ON accounts USING gin (tags);
CREATE INDEX accounts_cover ON accounts (status text_pattern_ops) INCLUDE (name) WITH (fillfactor = 80);
CREATE INDEX events_what ON events (what);
CREATE STATISTICS accounts_pair (dependencies) ON name, status FROM accounts;
ALTER TABLE accounts ALTER COLUMN avatar SET STORAGE EXTERNAL;
ALTER TABLE accounts REPLICA IDENTITY FULL;

CREATE VIEW open_invoices AS
    SELECT i.id, a.name, a.state FROM billing.invoices i JOIN accounts a ON a.id = i.account_id WHERE NOT i.paid;
ALTER VIEW open_invoices ALTER COLUMN id SET DEFAULT 7;
CREATE MATERIALIZED VIEW totals AS SELECT account_id, count(*) AS n FROM billing.invoices GROUP BY account_id;
CREATE UNIQUE INDEX totals_account ON totals (account_id);
CREATE TRIGGER accounts_touched BEFORE UPDATE OF name, status ON accounts
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION touch();
CREATE RULE cache_kept AS ON DELETE TO cache DO INSTEAD NOTHING;
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON accounts FOR SELECT USING (name = CURRENT_USER);
CREATE POLICY fresh ON accounts AS RESTRICTIVE FOR INSERT TO PUBLIC WITH CHECK (status = 'new');
CREATE PROCEDURE clean() LANGUAGE sql AS $$ DELETE FROM billing.invoices WHERE false $$;
CREATE FUNCTION owed(a accounts) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT count(*) FROM billing.invoices i WHERE i.account_id = a.id);
END $$;
