-- Of the next $2 stories from behind $1 to before $3, those whose job is gone, with its checkpoints. Gives the last id that was looked at.
WITH next AS MATERIALIZED (
    SELECT id
    FROM longshore.story
    WHERE id > $1
      AND id < $3
    ORDER BY id
    LIMIT $2
),
lost AS MATERIALIZED (
    SELECT next.id
    FROM next
    WHERE NOT EXISTS (SELECT FROM longshore.job AS j WHERE j.id = next.id)
),
forgotten AS (
    DELETE FROM longshore.checkpoint
    WHERE id = ANY (ARRAY(SELECT lost.id FROM lost))
),
gone AS (
    DELETE FROM longshore.story
    WHERE id = ANY (ARRAY(SELECT lost.id FROM lost))
)
SELECT max(id), count(*)
FROM next
