-- The shape of the queue's own tables, by hand: one row a running job, which is deleted at its end.
CREATE TABLE job (id bigint PRIMARY KEY, queue text NOT NULL, priority integer NOT NULL, job_type text NOT NULL, job_data json NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE copied (LIKE job INCLUDING INDEXES);
CREATE INDEX copied_claim ON copied (queue, priority DESC, id);
CREATE SEQUENCE job_id;
CREATE SEQUENCE claim_number;
CREATE TABLE ready (queue text, rank integer, id bigint, attempt smallint NOT NULL, PRIMARY KEY (queue, rank, id));
CREATE TABLE running (id bigint PRIMARY KEY, claim_number bigint NOT NULL, worker integer NOT NULL, attempt smallint NOT NULL, started_at timestamptz NOT NULL);
CREATE TABLE ended (id bigint PRIMARY KEY, status smallint NOT NULL, attempt smallint NOT NULL, worker integer NOT NULL, started_at timestamptz NOT NULL, ended_at timestamptz NOT NULL);
-- insert
WITH j AS (INSERT INTO job SELECT nextval('job_id'), 'default', 5, 'raw', $1::text::json, clock_timestamp() FROM generate_series(1, $2::bigint) RETURNING id)
INSERT INTO ready SELECT 'default', -5, id, 0 FROM j
-- claim
WITH p AS MATERIALIZED (SELECT r.ctid t FROM ready r WHERE queue = 'default' AND rank = -5 AND id > $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED),
g AS MATERIALIZED (DELETE FROM ready WHERE ctid = ANY (ARRAY (SELECT t FROM p)) RETURNING id, attempt),
c AS MATERIALIZED (SELECT nextval('claim_number') claim_number),
r AS (INSERT INTO running SELECT g.id, c.claim_number, $3, g.attempt, clock_timestamp() FROM c, g)
SELECT j.id, c.claim_number, j.job_type, j.job_data::text, g.attempt FROM c, g JOIN job j ON j.id = g.id
-- finish
WITH r AS (DELETE FROM running WHERE id = ANY ($3::bigint[]) AND claim_number = $1 AND worker = $2 RETURNING id, started_at, attempt)
INSERT INTO ended SELECT id, 1, attempt, $2, started_at, clock_timestamp() FROM r
