-- A queue that is paused twice tells of the first time. The empty change makes the queue known.
WITH paused AS (
    INSERT INTO longshore.queue_pause (queue, paused_at)
    VALUES ($1, longshore.now())
    ON CONFLICT (queue) DO NOTHING
)
INSERT INTO longshore.change (queue)
VALUES ($1)
