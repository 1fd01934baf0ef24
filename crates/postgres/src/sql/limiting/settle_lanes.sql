-- What a claim leaves of the lanes ($1, sorted) that it holds: $2 turn, $3 whether all places of the key are taken, $4 when
-- it gives again. A statement after the one that took the jobs. The arrays are not joined: the plan of a join that was made
-- while there were few lanes reads all of them.
UPDATE longshore.lane AS l
SET turn = ($2::bigint[])[width_bucket(l.lane, $1::bigint[])],
    is_full = ($3::boolean[])[width_bucket(l.lane, $1::bigint[])],
    opens_at = ($4::timestamptz[])[width_bucket(l.lane, $1::bigint[])],
    used_at = longshore.now(),
    (is_waiting, head_rank) = (
        SELECT h.rank IS NOT NULL, COALESCE(h.rank, l.head_rank)
        FROM (VALUES (1)) AS one (row)
        LEFT JOIN LATERAL (
            SELECT r.rank
            FROM longshore.laned AS r
            WHERE r.lane = l.lane
            ORDER BY r.rank, r.id
            LIMIT 1
        ) AS h ON true
    )
WHERE l.lane = ANY ($1::bigint[])
