-- Narrow tables; one row a claim, which is deleted with the whole batch.
CREATE TABLE job (id bigint PRIMARY KEY, queue text NOT NULL, priority integer NOT NULL, job_type text NOT NULL, job_data json NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE ready (queue text, rank integer, id bigint, attempt smallint NOT NULL, PRIMARY KEY (queue, rank, id));
CREATE TABLE claim (claim_number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, worker integer NOT NULL, ids bigint[] NOT NULL, claimed_at timestamptz NOT NULL);
CREATE TABLE ended (id bigint PRIMARY KEY, status smallint NOT NULL, attempt smallint NOT NULL, worker integer NOT NULL, started_at timestamptz NOT NULL, ended_at timestamptz NOT NULL);
-- fill
WITH j AS (INSERT INTO job SELECT n, 'default', 5, 'mail', '{"to": "someone@example.org", "subject": "a short one"}', clock_timestamp() FROM generate_series($1::bigint, $2::bigint) n RETURNING id)
INSERT INTO ready SELECT 'default', -5, id, 0 FROM j
-- claim
WITH p AS MATERIALIZED (SELECT r.ctid t FROM ready r WHERE queue = 'default' AND rank = -5 AND id > $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED),
g AS MATERIALIZED (DELETE FROM ready WHERE ctid = ANY (ARRAY (SELECT t FROM p)) RETURNING id, attempt),
c AS (INSERT INTO claim (worker, ids, claimed_at) SELECT $3, array_agg(id), clock_timestamp() FROM g HAVING count(*) > 0 RETURNING claim_number)
SELECT j.id, c.claim_number, j.job_type, j.job_data::text, g.attempt FROM c, g JOIN job j ON j.id = g.id
-- finish
WITH c AS (DELETE FROM claim WHERE claim_number = $1 AND worker = $2 RETURNING claimed_at)
INSERT INTO ended SELECT u.id, 1, 1, $2, c.claimed_at, clock_timestamp() FROM unnest($3::bigint[]) u (id), c
