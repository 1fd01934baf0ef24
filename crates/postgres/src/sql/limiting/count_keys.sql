-- How many jobs of these keys ($1) run, and the lowest claim number of them. A statement after the one that locked them.
SELECT k.key_id, count(*) AS running, min(r.claim_number) AS first_claim
FROM unnest($1::bigint[]) AS k (key_id)
CROSS JOIN LATERAL (
    SELECT l.counted_from
    FROM longshore.limit_key AS l
    WHERE l.key_id = k.key_id
    LIMIT 1
) AS l
CROSS JOIN LATERAL (
    SELECT r.claim_number
    FROM longshore.running AS r
    WHERE r.key_id = k.key_id
      AND r.claim_number >= l.counted_from
) AS r
GROUP BY k.key_id
