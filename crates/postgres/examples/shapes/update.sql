-- One table; a claim and an end update the row in place.
CREATE SEQUENCE claim_number;
CREATE TABLE job (id bigint PRIMARY KEY, queue text NOT NULL, priority integer NOT NULL, job_type text NOT NULL, job_data json NOT NULL, created_at timestamptz NOT NULL,
    status smallint NOT NULL, attempt smallint NOT NULL, claim_number bigint, worker integer, started_at timestamptz, ended_at timestamptz);
CREATE INDEX job_ready ON job (queue, priority DESC, id) WHERE status = 0;
-- fill
INSERT INTO job SELECT n, 'default', 5, 'mail', '{"to": "someone@example.org", "subject": "a short one"}', clock_timestamp(), 0, 0 FROM generate_series($1::bigint, $2::bigint) n
-- claim
WITH p AS MATERIALIZED (SELECT ctid t FROM job WHERE status = 0 AND queue = 'default' AND priority = 5 AND id > $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED),
c AS MATERIALIZED (SELECT nextval('claim_number') claim_number)
UPDATE job SET status = 1, attempt = attempt + 1, claim_number = (SELECT claim_number FROM c), worker = $3, started_at = clock_timestamp()
WHERE ctid = ANY (ARRAY (SELECT t FROM p)) RETURNING id, claim_number, job_type, job_data::text, attempt
-- finish
UPDATE job SET status = 3, ended_at = clock_timestamp() WHERE id = ANY ($3::bigint[]) AND claim_number = $1 AND worker = $2 AND status = 1
