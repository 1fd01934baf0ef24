-- The notes of a worker become one, with the last one of each slot.
WITH gone AS (
    DELETE FROM longshore.started s
    WHERE s.worker = (
        SELECT w.worker
        FROM longshore.worker w
        WHERE w.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
        FOR KEY SHARE
    )
    RETURNING s.note, s.worker, s.slots, s.ids, s.claim_numbers, s.are_accompanied
),
latest AS (
    SELECT DISTINCT ON (n.slot) g.worker, n.slot, n.id, n.claim_number, n.is_accompanied
    FROM gone g
    CROSS JOIN LATERAL unnest(g.slots, g.ids, g.claim_numbers, g.are_accompanied) WITH ORDINALITY
        n (slot, id, claim_number, is_accompanied, place)
    ORDER BY n.slot, g.note DESC, n.place DESC
)
INSERT INTO longshore.started (worker, slots, ids, claim_numbers, are_accompanied)
SELECT l.worker, array_agg(l.slot), array_agg(l.id), array_agg(l.claim_number), array_agg(l.is_accompanied)
FROM latest l
GROUP BY l.worker
