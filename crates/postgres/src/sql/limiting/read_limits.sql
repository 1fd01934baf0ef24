-- What the limits of these types ($1) and queues ($2) hold now. A statement after the one that locked them, so that its
-- snapshot has all that started under them.
SELECT l.limit_id, l.scope, l.name, l.arrival, l.closed_until, l.turn, counted.running, counted.first_claim
FROM longshore.job_limit AS l
CROSS JOIN LATERAL (
    SELECT count(*) AS running, min(r.claim_number) AS first_claim
    FROM (
        SELECT r.claim_number
        FROM longshore.running AS r
        WHERE l.scope = 2
          AND r.is_counted
          AND r.job_type = l.name
          AND r.claim_number >= l.counted_from
        UNION ALL
        SELECT r.claim_number
        FROM longshore.running AS r
        WHERE l.scope = 1
          AND r.is_counted
          AND r.queue = l.name
          AND r.claim_number >= l.counted_from
    ) AS r
) AS counted
WHERE (l.scope = 2 AND l.name = ANY ($1::text[]))
   OR (l.scope = 1 AND l.name = ANY ($2::text[]))
