-- The first jobs of lanes ($1), at most $2 of each.
SELECT n.lane, x.rank, x.again, x.id
FROM unnest($1::bigint[], $2::bigint[]) AS n (lane, room)
CROSS JOIN LATERAL (
    SELECT r.rank, r.again, r.id
    FROM longshore.laned AS r
    WHERE r.lane = n.lane
    ORDER BY r.rank, r.id
    LIMIT n.room
) AS x
