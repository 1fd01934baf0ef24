-- A success gets its own row only when its job runs again, because the row of the ended job would no longer show it.
INSERT INTO longshore.attempt (id, claim_number, attempt, worker, started_at, finished_at, outcome)
SELECT id, claim_number, attempt, worker, started_at, finished_at, 'completed'
FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[], $5::timestamptz[], $6::timestamptz[])
    AS ended (id, claim_number, attempt, worker, started_at, finished_at)
ON CONFLICT (id, claim_number) DO NOTHING
