-- $1 worker; $2 job, $3 claim, $4 progress, $5 its message, $6 whether there is any. Gives the jobs whose attempt runs,
-- or has completed its job: of its progress nothing is kept then.
WITH worker AS MATERIALIZED (
    SELECT n.worker
    FROM longshore.worker_name n
    WHERE n.worker_id = $1
),
report AS MATERIALIZED (
    SELECT p.place, p.id, p.claim_number, p.progress, p.message, p.has_progress, r.id IS NOT NULL AS runs,
           e.id IS NOT NULL AS has_completed, r.has_story
    FROM unnest($2::bigint[], $3::bigint[], $4::double precision[], $5::text[], $6::boolean[]) WITH ORDINALITY
        p (id, claim_number, progress, message, has_progress, place)
    LEFT JOIN LATERAL (
        SELECT r.id, r.has_story
        FROM longshore.running r
        WHERE r.id = p.id
          AND r.claim_number = p.claim_number
          AND r.worker = (SELECT worker.worker FROM worker)
        LIMIT 1
        FOR NO KEY UPDATE
    ) r ON true
    LEFT JOIN LATERAL (
        SELECT e.id
        FROM longshore.ended e
        WHERE r.id IS NULL
          AND e.id = p.id
          AND e.status = 1
          AND e.claim_number = p.claim_number
          AND e.worker = (SELECT worker.worker FROM worker)
        LIMIT 1
    ) e ON true
),
-- The last one of each job.
latest AS MATERIALIZED (
    SELECT DISTINCT ON (r.id) r.id, r.claim_number, r.progress, r.message, r.has_story
    FROM report r
    WHERE r.runs
      AND r.has_progress
    ORDER BY r.id, r.place DESC
),
told AS (
    INSERT INTO longshore.story (id, claim_number, progress, progress_message)
    SELECT l.id, l.claim_number, l.progress, l.message
    FROM latest l
    ON CONFLICT (id) DO UPDATE
    SET claim_number = excluded.claim_number,
        progress = excluded.progress,
        progress_message = excluded.progress_message
),
marked AS (
    UPDATE longshore.running
    SET has_story = true
    WHERE id = ANY (ARRAY(SELECT l.id FROM latest l WHERE l.has_story IS NOT TRUE))
)
SELECT r.place
FROM report r
WHERE r.runs
   OR r.has_completed
