-- Jobs that were taken out of their states, with their history.
WITH attempts AS (
    DELETE FROM longshore.attempt
    WHERE id = ANY($1)
),
chunks AS (
    DELETE FROM longshore.log_chunk
    WHERE id = ANY($1)
),
checkpoints AS (
    DELETE FROM longshore.checkpoint
    WHERE id = ANY($1)
),
stories AS (
    DELETE FROM longshore.story
    WHERE id = ANY($1)
)
DELETE FROM longshore.job
WHERE id = ANY($1)
