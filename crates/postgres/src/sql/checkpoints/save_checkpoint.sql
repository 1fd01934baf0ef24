-- $1 worker, $2 job, $3 claim, $4 step, $5 attempt, $6 value. A checkpoint (step '') replaces the one before, a step keeps
-- its first result. Gives no row if the attempt does not run.
WITH held AS MATERIALIZED (
    SELECT r.id, r.has_story
    FROM longshore.running r
    WHERE r.id = $2
      AND r.claim_number = $3
      AND r.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
    FOR NO KEY UPDATE
),
saved AS (
    INSERT INTO longshore.checkpoint (id, step, attempt, saved_at, value)
    SELECT h.id, $4, $5, longshore.now(), $6
    FROM held h
    ON CONFLICT (id, step) DO UPDATE
    SET attempt = excluded.attempt,
        saved_at = excluded.saved_at,
        value = excluded.value
    WHERE checkpoint.step = ''
),
-- The next claim looks here only for jobs with a story. A member of a batch has `has_story` without one.
told AS (
    INSERT INTO longshore.story (id)
    SELECT h.id
    FROM held h
    ON CONFLICT (id) DO NOTHING
),
marked AS (
    UPDATE longshore.running
    SET has_story = true
    WHERE id = (SELECT h.id FROM held h WHERE h.has_story IS NOT TRUE)
)
SELECT h.id
FROM held h
