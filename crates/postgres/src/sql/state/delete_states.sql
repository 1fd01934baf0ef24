-- The rows are locked, so a ready one is still where it was found: $1 in `ready` itself, $4 in a lane.
WITH ready AS (
    DELETE FROM ONLY longshore.ready
    WHERE ctid = ANY($1::text[]::tid[])
    RETURNING id
),
laned AS (
    DELETE FROM longshore.laned
    WHERE ctid = ANY($4::text[]::tid[])
    RETURNING id
),
later AS (
    DELETE FROM longshore.later
    WHERE id = ANY($2)
    RETURNING id
),
blocked AS (
    DELETE FROM longshore.blocked
    WHERE id = ANY($2)
    RETURNING id
),
running AS (
    DELETE FROM longshore.running
    WHERE id = ANY($2)
    RETURNING id
),
ended AS (
    DELETE FROM longshore.ended
    WHERE id = ANY($3)
    RETURNING id
)
SELECT (SELECT count(*) FROM ready) + (SELECT count(*) FROM laned) + (SELECT count(*) FROM later) + (SELECT count(*) FROM blocked)
       + (SELECT count(*) FROM running) + (SELECT count(*) FROM ended)
