-- The pieces of a log that others replace. $1 worker; $2 job, $3 claim, $4 and $5 the first piece and the one behind
-- the last. An attempt that has completed its job in its own transaction still writes the rest of its log.
WITH open AS MATERIALIZED (
    SELECT d.id, d.claim_number, d.first, d.behind
    FROM unnest($2::bigint[], $3::bigint[], $4::integer[], $5::integer[]) d (id, claim_number, first, behind)
    LEFT JOIN LATERAL (
        SELECT r.id
        FROM longshore.running r
        WHERE r.id = d.id
          AND r.claim_number = d.claim_number
          AND r.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
        LIMIT 1
        FOR KEY SHARE
    ) r ON true
    LEFT JOIN LATERAL (
        SELECT e.id
        FROM longshore.ended e
        WHERE r.id IS NULL
          AND e.id = d.id
          AND e.status = 1
          AND e.claim_number = d.claim_number
          AND e.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
        LIMIT 1
    ) e ON true
    WHERE r.id IS NOT NULL
       OR e.id IS NOT NULL
)
DELETE FROM longshore.log_chunk c
USING open
-- The ids are named twice: the first keeps every plan from reading a partition, whatever it joins by.
WHERE c.id = ANY ($2::bigint[])
  AND c.id = open.id
  AND c.claim_number = open.claim_number
  AND c.chunk_number >= open.first
  AND c.chunk_number < open.behind
