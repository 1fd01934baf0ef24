-- Of the next $2 stories from behind $1 to before $3, those whose job is gone. Gives the last id that was looked at.
WITH next AS MATERIALIZED (
    SELECT id
    FROM longshore.story
    WHERE id > $1
      AND id < $3
    ORDER BY id
    LIMIT $2
),
gone AS (
    DELETE FROM longshore.story
    WHERE id = ANY (ARRAY(
        SELECT next.id
        FROM next
        WHERE NOT EXISTS (SELECT FROM longshore.job AS j WHERE j.id = next.id)
    ))
)
SELECT max(id), count(*)
FROM next
