-- The turns that the types ($1) have come to. It is the last write of a claim, because claims of one type meet here.
UPDATE longshore.job_limit AS l
SET turn = s.turn
FROM (
    SELECT t.job_type, t.turn
    FROM unnest($1::text[], $2::bigint[]) AS t (job_type, turn)
    ORDER BY t.job_type
) AS s
WHERE l.scope = 2
  AND l.name = s.job_type
  AND l.turn < s.turn
