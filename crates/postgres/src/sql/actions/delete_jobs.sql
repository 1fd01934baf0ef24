-- Jobs that were taken out of their states, with their history. Batches and jobs that wait for them hear of it.
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
),
dependencies AS (
    DELETE FROM longshore.dependency
    WHERE id = ANY($1)
),
names AS (
    DELETE FROM longshore.member
    WHERE id = ANY($1)
      AND batch_id IS NULL
),
hints AS (
    INSERT INTO longshore.unsettled (kind, target_id)
    SELECT 'job', u.id
    FROM unnest($1::bigint[]) AS u (id)
    WHERE EXISTS (SELECT FROM longshore.member AS m WHERE m.id = u.id AND m.batch_id IS NOT NULL)
       OR EXISTS (SELECT FROM longshore.dependency AS d WHERE d.target_id = u.id AND d.kind = 'job')
)
DELETE FROM longshore.job
WHERE id = ANY($1)
