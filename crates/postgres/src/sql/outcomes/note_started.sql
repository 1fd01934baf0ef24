-- $1 worker; $2 slots, $3 jobs, $4 claims, $5 whether attempts of other workers may run in the same process. Nothing for
-- a worker that is not registered.
INSERT INTO longshore.started (worker, slots, ids, claim_numbers, are_accompanied)
SELECT w.worker, $2::integer[], $3::bigint[], $4::bigint[], $5::boolean[]
FROM longshore.worker w
WHERE w.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
FOR KEY SHARE
