-- $1 worker; $2 slots, $3 jobs, $4 claims, $5 whether attempts of other workers may run in the same process; $6 notes that
-- later ones have replaced. Nothing for a worker that is not registered. The setting ends with the transaction: its commit
-- does not wait for the disk.
WITH hurry AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
),
replaced AS (
    DELETE FROM longshore.started s
    WHERE s.note = ANY ($6::bigint[])
      AND s.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
)
INSERT INTO longshore.started (worker, slots, ids, claim_numbers, are_accompanied)
SELECT w.worker, $2::integer[], $3::bigint[], $4::bigint[], $5::boolean[]
FROM longshore.worker w
CROSS JOIN hurry
WHERE w.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
FOR KEY SHARE OF w
RETURNING note
