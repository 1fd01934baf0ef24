-- What a claim leaves of the lanes ($1) that it holds: $2 turn, $3 whether all places of the key are taken, $4 when it
-- gives again. A statement after the one that took the jobs.
UPDATE longshore.lane AS l
SET turn = s.turn,
    is_full = s.is_full,
    opens_at = s.opens_at,
    used_at = longshore.now(),
    is_waiting = s.rank IS NOT NULL,
    head_rank = COALESCE(s.rank, l.head_rank)
FROM (
    SELECT t.*, h.rank
    FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::timestamptz[]) AS t (lane, turn, is_full, opens_at)
    LEFT JOIN LATERAL (
        SELECT r.rank
        FROM longshore.laned AS r
        WHERE r.lane = t.lane
        ORDER BY r.rank, r.id
        LIMIT 1
    ) AS h ON true
) AS s
WHERE l.lane = s.lane
