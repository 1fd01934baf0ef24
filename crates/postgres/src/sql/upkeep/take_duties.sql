-- Only those that no other store has taken since they were read. In the order of their names, so that two stores do not
-- wait for each other.
INSERT INTO longshore.duty AS held (duty, holder, term, taken_at)
SELECT duty, $2, seen + 1, longshore.now()
FROM unnest($1::text[], $3::bigint[]) AS vacant (duty, seen)
ORDER BY duty
ON CONFLICT (duty) DO UPDATE
SET holder = excluded.holder,
    term = excluded.term,
    taken_at = excluded.taken_at
WHERE held.term = excluded.term - 1
RETURNING duty, term
