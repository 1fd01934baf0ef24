-- Blocked jobs become dead letters, because of $2, at $3.
WITH buried AS MATERIALIZED (
    SELECT b.ctid AS place
    FROM unnest($1::bigint[], $2::text[], $3::timestamptz[]) j (id, reason, ended_at)
    CROSS JOIN LATERAL (
        SELECT b.ctid
        FROM longshore.blocked b
        WHERE b.id = j.id
        LIMIT 1
        FOR UPDATE
    ) b
),
gone AS (
    DELETE FROM longshore.blocked
    WHERE ctid = ANY (ARRAY(SELECT buried.place FROM buried))
    RETURNING id, queue, ready_at, has_story
),
kept AS (
    INSERT INTO longshore.ended (id, status, queue, ended_at, ready_at, has_story, reason)
    SELECT g.id, 3, g.queue, j.ended_at, g.ready_at, g.has_story, j.reason
    FROM gone g
    JOIN unnest($1::bigint[], $2::text[], $3::timestamptz[]) j (id, reason, ended_at) ON j.id = g.id
),
counted AS (
    INSERT INTO longshore.change (queue, blocked, dead_letter, minute, minute_failed)
    SELECT g.queue, -count(*), count(*), date_trunc('minute', j.ended_at), count(*)
    FROM gone g
    JOIN unnest($1::bigint[], $2::text[], $3::timestamptz[]) j (id, reason, ended_at) ON j.id = g.id
    GROUP BY g.queue, date_trunc('minute', j.ended_at)
),
unkeyed AS (
    DELETE FROM longshore.unique_key
    WHERE id = ANY ($1::bigint[])
      AND id IN (SELECT g.id FROM gone g)
)
SELECT g.id
FROM gone g
