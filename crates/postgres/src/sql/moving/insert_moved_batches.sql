-- Their numbers are taken.
WITH given AS MATERIALIZED (
    SELECT *
    FROM json_to_recordset($1::json) AS given (
        batch_id bigint, name text, created_at timestamptz, closed_at timestamptz, ended_at timestamptz, members bigint,
        completed bigint, cancelled bigint, dead_letter bigint, callbacks bigint
    )
),
kept AS (
    INSERT INTO longshore.batch (
        id, name, created_at, closed_at, ended_at, members, completed, cancelled, dead_letter, callbacks
    )
    SELECT batch_id, name, created_at, closed_at, ended_at, members, completed, cancelled, dead_letter, callbacks
    FROM given
),
number AS (
    SELECT max(batch_id & 17592186044415) AS last
    FROM given
)
SELECT setval('longshore.batch_number', number.last)
FROM number
WHERE number.last >= (SELECT last_value FROM longshore.batch_number)
