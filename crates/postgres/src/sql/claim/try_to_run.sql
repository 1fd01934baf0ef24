-- Jobs ($1) as a claim of the worker ($2) would make them run. The caller takes it back.
INSERT INTO longshore.running (id, claim_number, worker, job_type, queue, started_at, ready_at, has_story)
SELECT r.id, (SELECT s.last_value FROM longshore.claim_number s), n.worker, r.job_type, r.queue, longshore.now(),
       r.ready_at, r.has_story
FROM longshore.ready r
CROSS JOIN longshore.worker_name n
WHERE r.id = ANY ($1::bigint[])
  AND n.worker_id = $2
