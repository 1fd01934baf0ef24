-- $1 jobs that have ended, with this payload.
WITH made AS (
    INSERT INTO longshore.job (job_type, queue, priority, job_data, created_at)
    SELECT 'bench', 'default', 5, $2::text::json, longshore.now()
    FROM generate_series(1, $1::bigint)
    RETURNING id, queue, created_at
),
counted AS (
    INSERT INTO longshore.change (queue, completed)
    SELECT 'default', $1::bigint
)
INSERT INTO longshore.ended (id, status, queue, ended_at, ready_at, started_at, claim_number, worker)
SELECT id, 1, queue, created_at, created_at, created_at, 1, 1
FROM made
