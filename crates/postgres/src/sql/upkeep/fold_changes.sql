-- Adds some changes up. One store at a time does this, and nobody else updates these rows.
WITH first AS MATERIALIZED (
    SELECT ctid
    FROM longshore.change
    LIMIT $1
    FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM longshore.change
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM first))
    RETURNING *
),
depths AS (
    INSERT INTO longshore.depth AS known (queue, pending, running, retrying, blocked, completed, cancelled, dead_letter)
    SELECT queue, COALESCE(sum(pending), 0), COALESCE(sum(running), 0), COALESCE(sum(retrying), 0),
           COALESCE(sum(blocked), 0), COALESCE(sum(completed), 0), COALESCE(sum(cancelled), 0),
           COALESCE(sum(dead_letter), 0)
    FROM gone
    GROUP BY queue
    ORDER BY queue
    ON CONFLICT (queue) DO UPDATE
    SET pending = known.pending + excluded.pending,
        running = known.running + excluded.running,
        retrying = known.retrying + excluded.retrying,
        blocked = known.blocked + excluded.blocked,
        completed = known.completed + excluded.completed,
        cancelled = known.cancelled + excluded.cancelled,
        dead_letter = known.dead_letter + excluded.dead_letter
),
minutes AS (
    INSERT INTO longshore.minute AS known (minute, queue, completed, failed, retried, cancelled, waited_ms, ran_ms)
    SELECT minute, queue, COALESCE(sum(minute_completed), 0), COALESCE(sum(minute_failed), 0),
           COALESCE(sum(minute_retried), 0), COALESCE(sum(minute_cancelled), 0), COALESCE(sum(waited_ms), 0),
           COALESCE(sum(ran_ms), 0)
    FROM gone
    WHERE minute IS NOT NULL
    GROUP BY minute, queue
    ORDER BY minute, queue
    ON CONFLICT (minute, queue) DO UPDATE
    SET completed = known.completed + excluded.completed,
        failed = known.failed + excluded.failed,
        retried = known.retried + excluded.retried,
        cancelled = known.cancelled + excluded.cancelled,
        waited_ms = known.waited_ms + excluded.waited_ms,
        ran_ms = known.ran_ms + excluded.ran_ms
)
SELECT count(*)
FROM gone
